"""Response policy zone: a zone file that makes a resolver answer NXDOMAIN for listed names and all below them.

Read by: BIND, Unbound, PowerDNS Recursor, Knot Resolver and the appliances built on them (Infoblox, EfficientIP, …).
Follows draft-vixie-dnsop-dns-rpz-00 (QNAME triggers, action NXDOMAIN) and the master file format of RFC 1035 §5.

Import:
  BIND        fetch the file with a timer, replace it by a rename, `rndc reload`; zone "…" { type primary; file "…";
              allow-query { none; }; ixfr-from-differences yes; }; and response-policy { zone "…"; } in the options.
  Unbound     rpz: name: "…", zonefile: "…" (or `url:`); module-config "respip validator iterator".
  PowerDNS    rpzFile("…", {policyName="feedsvc"}) in the Lua configuration, `rec_control reload-lua-config`.
  Knot        policy.add(policy.rpz(policy.DENY, "…", true)); it follows a replaced file by itself. Release 6 lost wildcards
              in RPZ (CZ-NIC/knot-resolver#137): there only the listed names themselves are blocked.
  Give the zone any name: all owners are relative to it. Transfers (AXFR, IXFR) are served by the partner's own primary.

Names: suffix. `x CNAME .` covers x, `*.x CNAME .` all below it; the set is collapsed, because a listed name below another
one would open holes in the wildcard.

Limits: a name with its wildcard and the zone's own name must fit 255 octets (RFC 1035 §2.3.4). `zone` says how long a zone
name to leave room for; one name too long makes BIND refuse the zone and Unbound refuse to start, so such a name is left out
here, counted and shown, and stands in the other lists. The netblock itself is not in this zone (`rpz-ip` makes BIND recurse
first).

Removal: with the resolver's next load of the file, then up to 60 seconds (TTL); PowerDNS may answer from its packet cache
for five minutes. The serial rises with every change and only then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from feedsvc.errors import NameRefused
from feedsvc.model import ListedName
from feedsvc.names import MAX_TEXT, parse_name
from feedsvc.publish.namesets import checked, read_back
from feedsvc.publish.port import BlockListFormat, ListMeta, NameSetKind

# NS and SOA must name a server (BIND refuses a zone without NS) that nobody ever asks: a name that can never exist.
# Refresh and retry are short for those who transfer the zone on; expire is a month, so that a secondary whose primary is
# gone goes on blocking; the last number is the TTL of NXDOMAIN answers (RFC 2308 §4).
_HEADER = """\
$TTL 60
@ SOA ns.feedsvc.invalid. hostmaster.feedsvc.invalid. {serial} 300 60 2592000 60
@ NS ns.feedsvc.invalid.
"""
_READ_HEADER = re.compile(r"\$TTL \d+\n@ SOA \S+ \S+ (\d{1,10}) \d+ \d+ \d+ \d+\n@ NS \S+\n")
_ACTION = " CNAME ."


def _zone_name(text: str) -> str:
    try:
        return parse_name(text)
    except NameRefused as err:
        raise ValueError(f"{text!r} is no zone name: {err}") from err


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of this format.

    Attributes:
        zone: the longest name that a partner gives the zone; it is written nowhere and only leaves room for itself.
    """

    zone: Annotated[str, AfterValidator(_zone_name)] = "rpz.feedsvc.invalid"


@dataclass(frozen=True, slots=True)
class Rpz:
    """The format, ready to render."""

    zone: str
    names: ClassVar[NameSetKind] = "suffix"
    media_type: ClassVar[str] = "text/plain; charset=us-ascii"

    def render(self, listed: Iterable[ListedName], meta: ListMeta) -> Iterator[bytes]:
        """The header with the serial, then two rows a name; see `BlockListFormat.render`."""
        yield _HEADER.format(serial=meta.serial).encode("ascii")
        for one in checked(listed):
            yield f"{one.name}{_ACTION}\n*.{one.name}{_ACTION}\n".encode("ascii")

    def read_back(self, body: bytes) -> tuple[frozenset[str], int]:
        """Names and serial of the file.

        Raises:
            ValueError: anything but our header and pairs of rows in order: a row more in a zone is another answer.
        """
        text = body.decode("ascii")
        header = _READ_HEADER.match(text)
        if header is None:
            raise ValueError("no zone of ours: TTL, SOA and NS do not stand on top")
        *rows, rest = text[header.end() :].split("\n")
        if rest:
            raise ValueError("the last line has no end")
        names = [row.removesuffix(_ACTION) for row in rows[::2]]
        if rows != [row for name in names for row in (f"{name}{_ACTION}", f"*.{name}{_ACTION}")]:
            raise ValueError("rows that are not pairs of a name and all below it")
        return read_back(names), int(header[1])

    def admits(self, name: str) -> str | None:
        """Why the wildcard row of a name does not fit into the zone, if it does not."""
        if len("*.") + len(name) + len(".") + len(self.zone) <= MAX_TEXT:
            return None
        return f"too long for a response policy zone named like {self.zone!r}"


def build(options: Options) -> BlockListFormat:
    """The format by its settings."""
    return Rpz(options.zone)
