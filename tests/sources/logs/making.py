"""Zeek logs made for tests: honest traffic, names that lead into 198.51.100.0/24 and 2001:db8:77::/48, and look-alikes."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

Spelling = Callable[[float], object]
Writer = Callable[[Iterable["Exchange"]], bytes]

NETBLOCKS = ("198.51.100.0/24", "2001:db8:77::/48")
START = 1793491200.000123  # 2026-11-01T00:00:00.000123Z

FIELDS = tuple(
    """
        ts
        uid
        id.orig_h
        id.orig_p
        id.resp_h
        id.resp_p
        proto
        trans_id
        rtt
        query
        qclass
        qclass_name
        qtype
        qtype_name
        rcode
        rcode_name
        AA
        TC
        RD
        RA
        Z
        answers
        TTLs
        rejected
    """.split()  # noqa: SIM905 - as Zeek's manual lists them
)


def header(*fields: str, path: str = "dns", opened: str = "2026-11-01-00-00-00") -> bytes:
    """A Zeek header; all columns of a dns.log unless others are named."""
    names = fields or FIELDS
    return (
        f"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t{path}\n#open\t{opened}\n"
        + "\t".join(("#fields", *names))
        + "\n"
        + "\t".join(("#types", *(["string"] * len(names))))
        + "\n"
    ).encode()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answers; `inside` are those that a search for the netblocks must find."""

    query: str
    qtype: str = "A"
    answers: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    client: str = "10.1.2.3"
    time: float = START
    trap: str = ""


_NUMBERS = {"A": 1, "AAAA": 28, "TXT": 16, "PTR": 12, "CNAME": 5, "HTTPS": 65, "MX": 15}


def _uid(one: Exchange) -> str:
    return f"C{zlib.crc32(f'{one.query} {one.time} {one.client}'.encode()):08x}"


def tsv_line(one: Exchange) -> bytes:
    """The exchange as Zeek writes it in TSV."""
    values = dict.fromkeys(FIELDS, "-") | {
        "ts": f"{one.time:.6f}",
        "uid": _uid(one),
        "id.orig_h": one.client,
        "id.orig_p": "40000",
        "id.resp_h": "10.0.0.53",
        "query": one.query,
        "qtype": str(_NUMBERS[one.qtype]),
        "qtype_name": one.qtype,
        "answers": ",".join(answer.replace(",", "\\x2c") for answer in one.answers) or "-",
    }
    return "\t".join(values[name] for name in FIELDS).encode() + b"\n"


def json_line(one: Exchange, ts: Spelling = float) -> bytes:
    """The exchange as Zeek writes it in JSON."""
    values: dict[str, object] = {
        "ts": ts(one.time),
        "uid": _uid(one),
        "id.orig_h": one.client,
        "query": one.query,
        "qtype": _NUMBERS[one.qtype],
        "qtype_name": one.qtype,
    }
    if one.answers:
        values["answers"] = list(one.answers)
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def iso(time: float) -> str:
    """`ts` as `json_timestamps = JSON::TS_ISO8601` writes it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def tsv_log(exchanges: Iterable[Exchange]) -> bytes:
    """A whole TSV log."""
    return header() + b"".join(map(tsv_line, exchanges)) + b"#close\t2026-11-01-01-00-00\n"


def json_log(exchanges: Iterable[Exchange], ts: Spelling = float) -> bytes:
    """A whole JSON log."""
    return b"".join(json_line(one, ts) for one in exchanges)


def _name(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=4)) + f".evil{rng.randrange(9)}.example.net"


def _hit(rng: random.Random) -> Exchange:
    qtype = rng.choice(["A", "AAAA"])
    inside = f"198.51.100.{rng.randrange(256)}" if qtype == "A" else f"2001:db8:77:{rng.randrange(1, 0xFFFF):x}::1"
    outside = ("192.0.2.7", "198.51.101.0") if qtype == "A" else ("2001:db8:78::1",)
    chain = tuple(_name(rng) for _ in range(rng.choice([0, 0, 1, 3])))
    addresses = [inside, *outside[: rng.randrange(3)]]
    rng.shuffle(addresses)
    return Exchange(_name(rng), qtype, (*chain, *addresses), (inside,), chain)


def _trap(rng: random.Random) -> Exchange:
    """What a careless search for the text of an address takes for a hit."""
    name, address = _name(rng), f"198.51.100.{rng.randrange(256)}"
    traps = {
        "above": Exchange(name, "A", ("198.51.101.0",)),
        "below": Exchange(name, "A", ("198.51.99.255",)),
        "shifted": Exchange(name, "A", ("7.198.51.100",)),
        "more digits": Exchange(name, "A", ("198.51.10.1", "19.8.51.100")),
        "in the query": Exchange(f"{address}.{name}", "A", ("192.0.2.1",)),
        "in a CNAME": Exchange(name, "A", (f"{address}.lb.{name}", "192.0.2.1")),
        "in a TXT": Exchange(name, "TXT", (f"TXT 20 v=spf1 ip4:{address}",)),
        "TXT alone": Exchange(name, "TXT", (address,)),
        "TXT beside an address": Exchange(name, "A", (f"TXT 12 {address}", "192.0.2.1")),
        "PTR": Exchange(".".join(reversed(address.split("."))) + ".in-addr.arpa", "PTR", (f"{address}.{name}",)),
        "HTTPS hints": Exchange(name, "HTTPS", (address,)),
        "zone id": Exchange(name, "AAAA", ("2001:db8:77::1%eth0",)),
        "IPv6 elsewhere": Exchange(name, "AAAA", ("2001:db8:78::198.51.100.1",)),
        "an address was asked for": Exchange(address, "A", (address,)),
        "no answer": Exchange(f"{address}.zen.{name}", "A"),
    }
    kind = rng.choice(sorted(traps))
    made = traps[kind]
    return Exchange(made.query, made.qtype, made.answers, trap=kind)


def _honest(rng: random.Random) -> Exchange:
    answers = tuple(f"{rng.randrange(11, 100)}.{rng.randrange(256)}.3.4" for _ in range(rng.randrange(4)))
    return Exchange(f"www{rng.randrange(50)}.example.org", "A", answers)


def traffic(seed: int, size: int) -> list[Exchange]:
    """Exchanges a second apart, of ten clients: a tenth are hits, two tenths traps."""
    rng = random.Random(seed)
    kinds = rng.choices([_hit, _trap, _honest], weights=[1, 2, 7], k=size)
    made = (kind(rng) for kind in kinds)
    return [
        Exchange(
            one.query, one.qtype, one.answers, one.inside, one.chain, f"10.0.0.{rng.randrange(10)}", START + second, one.trap
        )
        for second, one in enumerate(made)
    ]


def hit(name: str, second: int = 0, client: str = "10.0.0.1", chain: tuple[str, ...] = ()) -> Exchange:
    """`NAME.example.net` leads to 198.51.100.7."""
    query = f"{name}.example.net"
    return Exchange(query, "A", (*chain, "198.51.100.7"), ("198.51.100.7",), chain, client, int(START) + second)


def line(name: str, second: int = 0) -> bytes:
    """The same as a line of a TSV log."""
    return tsv_line(hit(name, second))


def append(path: Path, data: bytes) -> None:
    """Write as a daemon does that has the file open."""
    with path.open("ab") as out:
        out.write(data)
