"""One lookup, and the lines that say it, in every spelling that programs, their versions and syslog in front of them have.

Here are the logs that tell who asked, and dnsmasq's; those with whole answers are in `spelt_answers`.

Each writer draws how to spell it from hypothesis, as documentation and real logs of the program show. None writes what
another program would.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_LABEL = st.text(LETTERS, min_size=1, max_size=12) | st.sampled_from(
    ["_ldap", "_tcp", "xn--bcher-kva", "a-b", "a_b", "198", "51"]
)
_SINCE = datetime(2025, 12, 1)  # noqa: DTZ001 - as hypothesis wants it
_UNTIL = datetime(2026, 11, 20)  # noqa: DTZ001 - before the noon at which tests read, in every zone


@dataclass(frozen=True, slots=True)
class Asked:
    """One lookup, as every reader must find it."""

    when: datetime
    client: str
    rrname: str
    rrtype: str
    chain: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """Text that says it, or as much of it as there is room for.

    Attributes:
        time: seconds alone, or more.
        answers: how many of the addresses are in it.
        chain: whether the CNAMEs are.
    """

    text: bytes
    time: float
    answers: int = 4
    chain: bool = True


_NAMES = st.lists(_LABEL, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "example", "net"]))
_V4 = st.integers(0x0A000001, 0x0AFFFFFE).map(lambda number: str(ipaddress.IPv4Address(number)))
_V6 = st.integers(1, 2**64 - 1).map(lambda number: str(ipaddress.IPv6Address((0x20010DB80077 << 80) + number)))


@st.composite
def lookups(draw: st.DrawFn) -> Asked:
    """Any lookup for an address."""
    rrtype = draw(st.sampled_from(["A", "AAAA"]))
    names = draw(st.lists(_NAMES, min_size=1, max_size=4, unique=True))
    addresses = (
        st.integers(0xC6336400, 0xC63364FF).map(lambda number: str(ipaddress.IPv4Address(number))) if rrtype == "A" else _V6
    )
    return Asked(
        when=draw(st.datetimes(_SINCE, _UNTIL)).replace(tzinfo=UTC),
        client=draw(_V4 | _V6),
        rrname=names[0],
        rrtype=rrtype,
        chain=tuple(names[1:]),
        answers=tuple(draw(st.lists(addresses, min_size=1, max_size=4, unique=True))),
    )


# -- what all of them do -----------------------------------------------------------------------------------------------


def pick(draw: st.DrawFn, *choices: str) -> str:
    """One of some spellings."""
    return draw(st.sampled_from(choices))


def mixed(draw: st.DrawFn, name: str) -> str:
    """A name as clients spell it who use its case against forgers (0x20)."""
    flips = draw(st.integers(0, 2 ** len(name) - 1))
    return "".join(char.upper() if flips >> at & 1 else char for at, char in enumerate(name))


def addressed(draw: st.DrawFn, address: str) -> str:
    """An address as it is, in capitals or in full."""
    return pick(draw, address, address.upper(), ipaddress.ip_address(address).exploded)


def end(draw: st.DrawFn) -> str:
    """A line end."""
    return pick(draw, "\n", "\r\n")


def zoned(draw: st.DrawFn, when: datetime, form: str) -> str:
    """A time in some zone, which it says."""
    here = when.astimezone(timezone(timedelta(minutes=draw(st.sampled_from([-570, -300, 0, 60, 345, 840])))))
    offset = here.strftime("%z")
    return here.strftime(form) + pick(draw, offset, f"{offset[:3]}:{offset[3:]}")


def behind_syslog(draw: st.DrawFn, one: Asked, program: str, pid: str = "464") -> Written:
    """What syslog sets in front of a program's text, and its time."""
    when, whole = one.when, one.when.replace(microsecond=0).timestamp()
    host = pick(draw, "gw", "ns1.example.net", "10.0.0.5", "2001:db8::5")
    tag = f"{host} {program}{pick(draw, f'[{pid}]', '')}: "
    old = when.strftime("%b ") + f"{when.day:2d}" + when.strftime(" %H:%M:%S ")
    data = pick(draw, "-", '[meta sequenceId="7"]', r'[origin@1 ip="10.0.0.5" note="a \"b\" \] c"][x]') + pick(
        draw, " ", " \ufeff"
    )
    exact = when.strftime("%Y-%m-%dT%H:%M:%S.%f")
    kinds = {
        "3164": (pick(draw, "", "<30>") + old + tag, whole),
        "with a year": (when.strftime("%b %d %Y %H:%M:%S ") + tag, whole),
        "logread": (when.strftime("%a %b %e %H:%M:%S %Y ") + f"daemon.info {program}[{pid}]: ", whole),
        "rsyslog": (f"{exact}{pick(draw, 'Z', '+00:00')} {tag}", when.timestamp()),
        "5424": (f"<30>1 {exact}Z {host} {program} {pick(draw, pid, '-')} - {data}", when.timestamp()),
    }
    text, time = kinds[pick(draw, *kinds)]
    return Written(text.encode(), time)


# -- the programs --------------------------------------------------------------------------------------------------------


def bind(draw: st.DrawFn, one: Asked) -> Written:
    """named's query log."""
    when, milli = one.when, f".{one.when.microsecond // 1000:03d}"
    floor = one.when.replace(microsecond=one.when.microsecond // 1000 * 1000).timestamp()
    category = pick(draw, "", "queries: ", "queries: info: ", "info: ")
    own = {
        "local": when.strftime("%d-%b-%Y %H:%M:%S") + milli + " ",
        "iso8601": when.strftime("%Y-%m-%dT%H:%M:%S") + milli + " ",
        "iso8601-utc": when.strftime("%Y-%m-%dT%H:%M:%S") + milli + "Z ",
    }
    kind = pick(draw, *own, "syslog")
    before = behind_syslog(draw, one, "named") if kind == "syslog" else Written(own[kind].encode(), floor)
    spelt = mixed(draw, one.rrname)
    name = pick(draw, "", f" ({spelt})")
    tail = pick(draw, "+", "-E(0)DC (10.0.0.53)", "+E(0)K (fe80::53%eth0)", "+SETDCV (::1) [ECS 192.0.2.0/24/0]")
    signed = pick(draw, "", "/key tsig-key.example")
    said = f"client {pick(draw, '', '@0x7f65100ee4d8 ')}{addressed(draw, one.client)}#53124{signed}{name}: "
    said += f"{pick(draw, '', 'view internal: ')}query: {spelt} IN {one.rrtype} {tail}{end(draw)}"
    return Written(before.text + (category + said).encode(), before.time)


def unbound(draw: st.DrawFn, one: Asked) -> Written:
    """Unbound's queries and replies."""
    when = one.when
    whole, milli = when.replace(microsecond=0).timestamp(), when.replace(microsecond=when.microsecond // 1000 * 1000)
    own = {
        "epoch": (f"[{int(whole)}] unbound[12:3] ", whole),
        "ascii": (when.strftime("%b %d %H:%M:%S unbound[12:a] "), whole),
        "iso": (milli.isoformat(timespec="milliseconds") + " unbound[12:0] ", milli.timestamp()),
    }
    kind = pick(draw, *own, "syslog")
    if kind == "syslog":
        syslog = behind_syslog(draw, one, "unbound")
        before = Written(syslog.text + b"[464:1] ", syslog.time)
    else:
        before = Written(own[kind][0].encode(), own[kind][1])
    said = f"{one.client} {mixed(draw, one.rrname)}. {one.rrtype} IN"
    said = pick(
        draw,
        f"info: {said}",
        f"query: {said}",
        f"info: {said} NOERROR 0.012345 0 60",
        f"reply: {said} NXDOMAIN 1.000000 1 110",
        f"reply: {said} NOERROR 0.012345 0 60 udp 10.0.0.53 53",
    )
    return Written(before.text + (said + end(draw)).encode(), before.time)


def dnsmasq(draw: st.DrawFn, one: Asked) -> Written:
    """dnsmasq's log with `log-queries=extra`: a line for the question, and one for each record of the answer."""
    before = behind_syslog(draw, one, "dnsmasq", pid="8901")
    if draw(st.booleans()):
        local = one.when.strftime("%b ") + f"{one.when.day:2d}" + one.when.strftime(" %H:%M:%S dnsmasq[8901]: ")
        before = Written(local.encode(), one.when.replace(microsecond=0).timestamp())
    serial = f"17 {one.client}/53124 "
    names = [mixed(draw, name) for name in (one.rrname, *one.chain)]
    verb = pick(draw, "reply", "cached", "cached-stale")
    said = [f"query[{one.rrtype}] {names[0]} from {one.client}"]
    said += [f"forwarded {names[0]} to 9.9.9.9"] * draw(st.integers(0, 2))
    said += [f"{verb} {name} is <CNAME>" for name in names[:-1]]
    said += [f"{verb} {names[-1]} is {address}{pick(draw, '', ' (DNSSEC signed)')}" for address in one.answers]
    stop = end(draw).encode()
    return Written(b"".join(before.text + (serial + line).encode() + stop for line in said), before.time)


def coredns(draw: st.DrawFn, one: Asked) -> Written:
    """CoreDNS's log, with the times that container runtimes and others put in front."""
    exact = one.when.strftime("%Y-%m-%dT%H:%M:%S.%f")
    whole = one.when.replace(microsecond=0).timestamp()
    client = one.client if ":" not in one.client else f"[{addressed(draw, one.client)}]"
    said = pick(draw, "", "plugin/log: ") + f"{client}:40472 - " + pick(draw, "", "24311 ")
    said += f'"{one.rrtype} IN {mixed(draw, one.rrname)}. '
    said += pick(draw, 'udp 40 false 512" NOERROR qr,rd,ra 106 0.001s', 'tcp 40 true 65535" - - 0 2.000s "0"')
    stop = end(draw)
    kinds = {
        "containerd": (f"{exact}123Z stdout F [INFO] {said}{stop}", one.when.timestamp()),
        "kubectl": (f"{exact}Z [INFO] {said}{stop}", one.when.timestamp()),
        "old": (one.when.strftime("%Y/%m/%d %H:%M:%S ") + f"[INFO] {said}{stop}", whole),
        "docker": (
            json.dumps({"log": f"[INFO] {said}\n", "stream": "stdout", "time": f"{exact}123Z"}, separators=(",", ":"))
            + stop,
            one.when.timestamp(),
        ),
        "docker, by others": (json.dumps({"time": f"{exact}Z", "log": f"[INFO] {said}\n"}) + stop, one.when.timestamp()),
    }
    kind = pick(draw, *kinds, "syslog")
    if kind == "syslog":
        before = behind_syslog(draw, one, "coredns")
        return Written(before.text + f"[INFO] {said}{stop}".encode(), before.time)
    return Written(kinds[kind][0].encode(), kinds[kind][1])


def umbrella(draw: st.DrawFn, one: Asked) -> Written:
    """A line of Umbrella, with the columns of some version, and quotes as it writes them or as others do."""
    number = "1 (A)" if one.rrtype == "A" else "28 (AAAA)"
    identity = pick(draw, "LAPTOP-17", 'Ann "A", Example (ann@example.net)', "Jürgen", "Site, Office")
    cells = [one.when.strftime("%Y-%m-%d %H:%M:%S"), identity, f"{identity},Networks", one.client, "192.0.2.17"]
    cells += [pick(draw, "Allowed", "Blocked", "Proxied"), number, "NOERROR", mixed(draw, one.rrname) + pick(draw, "", ".")]
    cells += ["Infrastructure,Application", "AD Users", "AD Users,Networks", "", "411", "US", "1234567"][
        : draw(st.integers(1, 7))
    ]
    always = draw(st.booleans())
    cells = [cell.replace('"', '""') if always or set(',"') & set(cell) else cell for cell in cells]
    quoted = (f'"{cell}"' if always or set(',"') & set(cell) else cell for cell in cells)
    return Written((pick(draw, ",", ", ").join(quoted) + end(draw)).encode(), one.when.replace(microsecond=0).timestamp())


WRITERS: Mapping[str, Callable[[st.DrawFn, Asked], Written]] = {
    "bind": bind,
    "unbound": unbound,
    "dnsmasq": dnsmasq,
    "coredns": coredns,
    "umbrella": umbrella,
}
