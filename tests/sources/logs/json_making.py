"""Lookups made for tests, to be written as any JSON format writes them, and laws that hold for every format."""

from __future__ import annotations

import ipaddress
import json
import random
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from feedsvc.names import parse_address, parse_name
from feedsvc.sources.logfile import cut, finish, read_line
from feedsvc.sources.port import BadLine, LogFormat, LogRecord

Found = LogRecord | BadLine
Answer = tuple[str, str, str]
"""Owner, type and data, as a server would spell them."""

START = 1793491200


@dataclass(frozen=True, slots=True)
class Made:
    """One lookup: how it is spelt, and what it means.

    Attributes:
        qname: spelt in some way; `rrname` is its canonical text.
        answers: as they stand in the answer section, with records of other types among them.
        chain, addresses: what a reader must find in them.
    """

    qname: str
    rrname: str
    rrtype: str
    time: int
    client: str
    answers: tuple[Answer, ...]
    chain: tuple[str, ...]
    addresses: tuple[str, ...]

    def record(self, offset: int = 0) -> LogRecord:
        """What a format that has all of it must make of it."""
        addresses = tuple(map(parse_address, self.addresses))
        return LogRecord(self.time, self.client, self.rrname, self.rrtype, addresses, self.chain, offset)


def _spelt(rng: random.Random, name: str) -> str:
    """A name in some case, with or without its final dot."""
    return "".join(rng.choice([char.lower(), char.upper()]) for char in name) + rng.choice(["", "."])


def _name(rng: random.Random) -> str:
    odd = rng.choice(["", "", "", r"a\032b.", r"\042quoted\042.", r"semi\;colon\.dot.", r"b\195\188cher."])
    return odd + "".join(rng.choices(string.ascii_lowercase + string.digits + "-_", k=rng.randrange(1, 12))) + ".example.net"


def _address(rng: random.Random) -> tuple[str, str, str]:
    """Type, spelling and canonical text of an address."""
    if rng.random() < 0.6:
        text = f"{rng.choice(['198.51.100', '203.0.113'])}.{rng.randrange(256)}"
        return "A", text, text
    address = ipaddress.IPv6Address((0x20010DB80077 << 80) + rng.getrandbits(rng.choice([8, 64])))
    spelling = rng.choice([str(address), str(address).upper(), address.exploded])
    return "AAAA", spelling, str(address)


def _noise(rng: random.Random, owner: str) -> Answer:
    look_alike = f"198.51.100.{rng.randrange(256)}"
    rrtype, data = rng.choice(
        [("TXT", f'"{look_alike}"'), ("TXT", look_alike), ("PTR", look_alike + "."), ("HTTPS", f"1 . ipv4hint={look_alike}")]
    )
    return _spelt(rng, owner), rrtype, data


def lookup(rng: random.Random) -> Made:
    """Any lookup."""
    path = list(dict.fromkeys(_name(rng) for _ in range(rng.choice([1, 1, 2, 4]))))
    answers = [(_spelt(rng, name), "CNAME", _spelt(rng, path[at + 1])) for at, name in enumerate(path[:-1])]
    found = [_address(rng) for _ in range(rng.choice([0, 1, 2, 5]))]
    answers += [(_spelt(rng, path[-1]), rrtype, spelling) for rrtype, spelling, _ in found]
    for _ in range(rng.choice([0, 0, 1, 2])):
        answers.insert(rng.randrange(len(answers) + 1), _noise(rng, path[-1]))
    return Made(
        qname=_spelt(rng, path[0]),
        rrname=parse_name(path[0]),
        rrtype=rng.choice(["A", "AAAA"]),
        time=START + rng.randrange(100_000),
        client=f"10.0.0.{rng.randrange(256)}",
        answers=tuple(answers),
        chain=tuple(map(parse_name, path[1:])),
        addresses=tuple(dict.fromkeys(canonical for _, _, canonical in found)),
    )


LOOKUPS = st.integers(0, 2**32).map(lambda seed: lookup(random.Random(seed)))
LOGS = st.integers(0, 2**32).flatmap(
    lambda seed: st.integers(1, 8).map(lambda size: [lookup(random.Random(seed + number)) for number in range(size)])
)


def without_text(made: Made) -> Made:
    """The same without answers of other types."""
    return replace(made, answers=tuple(answer for answer in made.answers if answer[1] in {"A", "AAAA", "CNAME"}))


# -- reading -----------------------------------------------------------------------------------------------------------


def read_all(form: LogFormat, text: bytes) -> list[Found]:
    """All that a log holds, read from its beginning to its end."""
    parser = form.parser()
    return [*(one for line in cut(form, iter([text])) for one in read_line(parser, line)), *finish(parser)]


def read_resuming(form: LogFormat, text: bytes) -> list[Found]:
    """The same, every line by a parser of its own that knows nothing but the state of the one before."""
    found: list[Found] = []
    state, offset = "", 0
    while True:
        line = next(cut(form, iter([text[offset:]]), offset), None)
        parser = form.parser(state)
        if line is None:
            return [*found, *finish(parser)]
        found += read_line(parser, line)
        state = parser.state()
        assert line[2] is None or line[2] > offset
        offset = line[2] or len(text)


def records_of(found: Sequence[Found]) -> list[LogRecord]:
    """The records, which must be all there is."""
    assert not [one for one in found if isinstance(one, BadLine)]
    return [one for one in found if isinstance(one, LogRecord)]


def said(found: Sequence[Found]) -> list[LogRecord]:
    """The records without where they stand."""
    return [
        replace(one, offset=0, unread=tuple(replace(part, offset=0) for part in one.unread)) for one in records_of(found)
    ]


def reasons(found: Sequence[Found]) -> list[str]:
    """Why lines were refused."""
    return [one.reason for one in found if isinstance(one, BadLine)]


def rdata(record: LogRecord) -> list[str]:
    """The addresses of a record as texts."""
    return [str(address) for address in record.answers]


# -- hostile lines -----------------------------------------------------------------------------------------------------

_ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, line: bytes) -> bytes:
    """A line with some of its bytes changed, cut, doubled or swapped for others."""
    data = bytearray(line)
    for _ in range(draw(st.integers(1, 4))):
        at, size = draw(st.integers(0, len(data))), draw(st.integers(0, 12))
        other = draw(
            st.binary(max_size=6) | st.sampled_from([b'"', b"\\", b"{", b"}", b"[", b",", b"\xff", b"\x00", b"..."])
        )
        data[at : at + size] = other
    return bytes(data).replace(b"\n", b" ")


@st.composite
def with_odd_values(draw: st.DrawFn, line: bytes) -> bytes:
    """A line of JSON with one value, wherever it stands, put in the place of another."""
    whole: Any = json.loads(line)
    node: Any = whole
    parent: Any = None
    key: Any = None
    while isinstance(node, dict | list) and node and (parent is None or draw(st.booleans())):
        parent, key = node, draw(st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node)))))
        node = node[key]
    if parent is not None:
        parent[key] = draw(_ODD)
    return json.dumps(whole).encode()


def assert_bounded(found: object) -> None:
    """What any line may make a parser give: records whose names are canonical, and faults that are short."""
    for one in found if isinstance(found, tuple) else (found,):
        if isinstance(one, LogRecord):
            assert all(parse_name(name) == name for name in (one.rrname, *one.chain))
            assert 0 <= one.time < 253402300800
            assert all(len(part.line) <= 200 for part in one.unread)
            assert one.client is None or (one.client and one.client.isascii() and one.client.isprintable())
        elif one is not None:
            assert isinstance(one, BadLine)
            assert one.reason
            assert len(one.line) <= 200
