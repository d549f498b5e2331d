r"""What the bytes of a log must hold to say something of what is sought: how a log is looked through before it is parsed.

A trace is a piece of text that stands in every line that may tell of a netblock or a name. Lines without one are not parsed
(`feedsvc.sources.scanning`), so a trace must be a *necessary* condition: one too many costs a moment, one too few loses what
was sought. Made here are those of text; a format says which of them hold for it, and how it escapes letters.

    IPv4    dotted quads have one spelling (`names.parse_address` takes no leading zeros): the octets that all addresses of a
            netblock share, as `198.51.100.`. IPv4-mapped IPv6 holds the same (`::ffff:198.51.100.7`), or `:ffff:` between
            groups of digits (`::ffff:c633:6407`)
    IPv6    the groups that all addresses of a netblock share, with any leading zeros, in any case, and with any run of zeros
            and colons where groups of zeros may be left out
    names   the longest run of letters, digits, hyphens and underscores of one label, in any case. Other bytes may be spelt
            in many ways
    escapes letters that an address or a name may hold, spelt as an escape (JSON's `\u0031`, Zeek's `\x31`, `\049` in
            presentation format): a line with one is parsed, whatever else it holds

Pure; knows no engine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from feedsvc.names import Address, Netblock, split_labels
from feedsvc.sources.port import LogParser

MOST = 20_000
"""Traces of one search; for more of them every line is parsed: to compile them would take longer."""

FEW = 8
"""IPv4 netblocks up to which each has traces of its own for what is shared by all otherwise: plain texts, found fastest."""

_WIDEST = 257  # pairs of first octets: a wider IPv4 netblock than a /8 has no text worth looking for
_SHORTEST = 4  # hexadecimal digits that an IPv6 netblock must share
_EMBEDDED = 6  # groups before those that may be spelt as a dotted quad (RFC 4291 §2.2, 3)


class Entangled(Exception):
    """What a line says hangs on lines that were not shown: the log has to be read as a whole."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One piece of text.

    Attributes:
        text: the bytes, or a regular expression of what Hyperscan and `re` both know, in which `^` is a line's beginning.
        kind: whether these are the bytes themselves, the same in any case of letters, or a regular expression (any case).
        address: whether it is of an address, and begins it: a dotted quad that goes on to the left is another address.
        rare: a byte that each match begins with and most logs hardly hold; it is looked for first. b"" for none.
    """

    text: bytes
    kind: Literal["literal", "caseless", "pattern"] = "literal"
    address: Literal["", "begins", "holds"] = ""
    rare: bytes = b""


@dataclass(frozen=True, slots=True)
class Traces:
    """All that shows that a line may say something of what is sought.

    Attributes:
        all: every line that says something of it holds one of these. None at all: no line does.
        apart: makes a parser for the lines that hold one, shown in their order and without the others. It may raise
            `Entangled`. Of a format that is `Framed` the parser is `Settling`. None: the first line that holds one shows
            that the log has to be read as a whole.
        sure: that parser raises it for no line, so that logs can be searched that cannot be read again.
    """

    all: tuple[Trace, ...]
    apart: Callable[[], LogParser] | None = None
    sure: bool = False


@runtime_checkable
class Scannable(Protocol):
    """A log format whose lines, or frames, can be looked through before they are parsed."""

    def traces(self, netblocks: Sequence[Netblock], wanted: Sequence[str]) -> Traces | None:
        """What a line must hold to have an answer in a netblock, or one of the names; None when nobody can say.

        Lines that change how others are read (a header) hold a trace as well. The first line is shown in any case.

        Args:
            wanted: canonical names; of what was asked, or in the chain.
        """
        ...


@runtime_checkable
class Delimiting(Protocol):
    """A parser that knows whether addresses stand alone in its log.

    As long as they do, an address is what stands between the nearest bytes that no address has, and a trace of one counts
    only if that is an address in a netblock.
    """

    @property
    def delimits(self) -> bool:
        """Whether they do, by what was parsed so far."""
        ...


@runtime_checkable
class Settling(Protocol):
    """A parser of frames that may come to need no more than those that hold a trace."""

    def passes_by(self, frame: bytes) -> bool:
        """Whether a frame without a trace says nothing, nor changes what others say, by what was parsed so far."""
        ...


class _TooMany(Exception):
    """Nothing that could be looked for is rarer than the lines themselves."""


def text_traces(
    netblocks: Sequence[Netblock], names: Sequence[str], escapes: Sequence[Escape] = (), *, idna: bool = True
) -> tuple[Trace, ...] | None:
    """The traces of addresses and names in a log of text; None when every line would have to be parsed.

    Args:
        escapes: the ways in which the format may spell letters.
        idna: whether its names may be written in letters beyond ASCII and become A-labels.
    """
    try:
        found = [*_of_netblocks(netblocks), *_of_names(names, idna=idna)]
    except _TooMany:
        return None
    if len(found) > MOST:
        return None
    return (*found, *_of_escapes(escapes if found else (), in_names=bool(names)))


# -- escapes -----------------------------------------------------------------------------------------------------------


class Escape(NamedTuple):
    """A way to spell a letter.

    Attributes:
        before: the pattern of what stands before it.
        by_number: whether its number in two hexadecimal digits follows; else what names are escaped by: itself, or its
            number in decimal or octal digits.
    """

    before: bytes
    by_number: bool = True


JSON = Escape(rb"\\u00")
r"""`\u0031`, also of a JSON text within another one (`\\u0031`)."""

ZEEK = Escape(rb"\\x")
r"""`\x31`, also where JSON doubles the backslash."""

PRESENTATION = Escape(rb"\\", by_number=False)
r"""`\049` or `\1`, RFC 1035 §5.1: in names alone."""

PRESENTATION_IN_JSON = Escape(rb"\\\\", by_number=False)
r"""The same where JSON doubles the backslash; a backslash that JSON spells as an escape is an escape of JSON's."""

# Some logs hold texts of others as JSON in JSON: there a backslash may be spelt as well.
_ADDRESS_LETTERS = "0123456789abcdefABCDEF.:\\"
_NAME_LETTERS = _ADDRESS_LETTERS + "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ-_"


def _of_escapes(escapes: Sequence[Escape], *, in_names: bool) -> Iterator[Trace]:
    letters = _NAME_LETTERS if in_names else _ADDRESS_LETTERS
    numbers = b"(?:" + b"|".join(sorted({b"%02x" % ord(letter) for letter in letters})) + b")"
    for escape in escapes:
        if escape.by_number or in_names:
            yield Trace(escape.before + (numbers if escape.by_number else b"[0-9a-z_-]"), "pattern", rare=b"\\")


# -- addresses ---------------------------------------------------------------------------------------------------------


def _of_netblocks(netblocks: Sequence[Netblock]) -> list[Trace]:
    quads: list[str] = []
    groups: dict[bytes, None] = {}
    for block in netblocks:
        if block.version == 4:
            quads += _shared_octets(block)
        else:
            nets = map(ipaddress.IPv6Network, block.cidrs())
            groups.update(dict.fromkeys(pattern for net in nets for pattern in _shared_groups(net)))
        if len(quads) + len(groups) > MOST:
            raise _TooMany
    quads = _without_longer(quads)
    mapped = _mapped(quads, few=not groups)
    return [
        *(Trace(quad.encode(), address="begins") for quad in quads),
        *mapped,
        *(Trace(pattern, "pattern", address="holds") for pattern in groups),
    ]


def _shared_octets(block: Netblock) -> list[str]:
    """The beginnings of the dotted quads of a netblock: whole octets, two at least, for one is too common."""
    first, last = block.first, block.last
    if (last >> 16) - (first >> 16) >= _WIDEST:
        raise _TooMany
    if first == last:
        return [str(Address(4, first))]
    if first >> 8 == last >> 8:
        return [f"{first >> 24}.{first >> 16 & 255}.{first >> 8 & 255}."]
    return [f"{two >> 8}.{two & 255}." for two in range(first >> 16, (last >> 16) + 1)]


def _without_longer(texts: Sequence[str]) -> list[str]:
    """Texts that do not begin with another one of them."""
    kept: list[str] = []
    for text in sorted(set(texts)):
        if not kept or not text.startswith(kept[-1]):
            kept.append(text)
    return kept


def _mapped(quads: Sequence[str], *, few: bool) -> list[Trace]:
    """The traces of IPv4-mapped addresses that are written in hexadecimal digits."""
    if not quads:
        return []
    if few and len(quads) <= FEW:
        own = [_in_hexadecimal(quad) for quad in quads]
        if all(own):
            return [Trace(text, address="holds") for texts in own for text in texts]
    return [Trace(b":ffff:", "caseless", address="holds")]


def _in_hexadecimal(quad: str) -> tuple[bytes, ...]:
    """What stands around the colon in the last two groups: digits that have no case; nothing when they are too few.

    The first group may be padded with zeros, so that it is looked for without them; the second one may be too, and both of
    its spellings are.
    """
    octets = [int(octet) for octet in quad.split(".") if octet]
    high = f"{octets[0] << 8 | octets[1]:x}"
    third = f"{octets[2]:x}" if octets[2:] and octets[2] else ""
    found = {f"{high}:{third}", f"{high}:{third.zfill(2)}"} if third else {f"{high}:"}
    texts = {re.search(r"[0-9]*:[0-9]*", text).group() for text in found}  # type: ignore[union-attr] # there is a colon
    return tuple(sorted(text.encode() for text in texts)) if min(map(len, texts)) >= _SHORTEST else ()


def _shared_groups(net: ipaddress.IPv6Network) -> list[bytes]:
    """The patterns of the groups that all addresses of an IPv6 netblock begin with, those of zeros left out."""
    digits = net.network_address.exploded.replace(":", "")[: net.prefixlen // 4]
    groups = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    if not groups or not groups[0].strip("0"):
        raise _TooMany  # nothing to begin with: `::` stands for it
    found = [_groups(groups[:_EMBEDDED])]
    if len(groups) > _EMBEDDED:
        found = [_groups(groups), _groups(groups[:_EMBEDDED]) + _quad(digits[24:])]
    if len(digits.strip("0")) < _SHORTEST:
        raise _TooMany
    return found


def _groups(groups: Sequence[str]) -> bytes:
    """Groups, the last one perhaps in part, one behind the other, with groups of zeros between them written or left out."""
    parts = [part.encode() + b"[0-9a-f]" * (4 - len(group)) for group in groups if (part := group.lstrip("0"))]
    ends = len(groups) == 8 and groups[-1].strip("0")
    # What stands between two groups that are not zero: a colon, groups of zeros, and zeros that pad the second one.
    return b":[0:]*".join(parts) + (b"" if ends else b":")


def _quad(digits: str) -> bytes:
    """How an address goes on whose last two groups are a dotted quad that begins with these digits."""
    octets = [str(int(digits[at : at + 2], 16)) for at in range(0, len(digits) - 1, 2)]
    return rb"[0:]*" + rb"\.".join(octet.encode() for octet in octets)


# -- names -------------------------------------------------------------------------------------------------------------

_RUN = re.compile(r"[a-z0-9_-]+")
_ESCAPED = re.compile(r"\\(?:[0-9]{3}|.)", re.DOTALL)


def _of_names(names: Sequence[str], *, idna: bool) -> Iterator[Trace]:
    runs: dict[str, None] = {}
    for name in names:
        found = _longest_run(name, idna=idna)
        if not found:
            raise _TooMany
        runs[found] = None
    return (Trace(run.encode(), "caseless") for run in runs)


def _longest_run(name: str, *, idna: bool) -> str:
    """The longest run of plain letters in a label; "" when it has none that is always written so."""
    labels = [label for label in split_labels(name) if not (idna and label.startswith("xn--"))]
    runs = [run for label in labels for run in _RUN.findall(_ESCAPED.sub("\\\\", label))]
    return max(runs, key=len, default="")
