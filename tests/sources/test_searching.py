"""A log is searched by its traces, and what comes out is what parsing every line of it gives."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources import framestreams
from feedsvc.sources.logfile import MAX_LINE
from feedsvc.sources.logs import Formats
from feedsvc.sources.searching import Found, Sought, Trouble
from feedsvc.sources.sweeping import STDIN, search
from tests.sources import spelt
from tests.sources.logs import dnstap_making, making
from tests.sources.logs.eve_making import stamp

ROOT = Path(__file__).parents[2]
WATCHED = ("k3xq.example.net", "a.bc.example.org", r"odd\032name.example.com", "xn--bcher-kva.example.net")


class Dribble(io.RawIOBase):
    """A pipe that gives its bytes in pieces of these sizes, over and over."""

    def __init__(self, text: bytes, sizes: Sequence[int]) -> None:
        self._text = io.BytesIO(text)
        self._sizes = sizes
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        self._count += 1
        return self._text.read(min(size, self._sizes[self._count % len(self._sizes)]))


def from_pipe(text: bytes, sought: Sought, form: str, sizes: Sequence[int], *, every_line: bool) -> list[Found]:
    pipe: io.RawIOBase = Dribble(text, sizes)
    found = search([STDIN], Formats(form), sought, report=ignore, stdin=pipe, every_line=every_line)  # type: ignore[arg-type]
    return list(found)


def from_file(path: Path, sought: Sought, form: str, *, every_line: bool) -> list[Found]:
    return list(search([str(path)], Formats(form), sought, report=ignore, every_line=every_line))


def ignore(trouble: Trouble) -> None:
    del trouble


# -- logs that are made ------------------------------------------------------------------------------------------------


class Words:
    """What may stand for an address or a name in a log: what is sought, and what looks like it."""

    def __init__(self, rng: random.Random, blocks: Sequence[Netblock], escape: str) -> None:
        self._rng = rng
        self._blocks = blocks
        self._escape = escape

    def address(self) -> str:
        """One that is sought more often than not."""
        rng, block = self._rng, self._rng.choice(self._blocks)
        text = spelt.spelling(rng, rng.choice([spelt.inside, spelt.inside, spelt.outside])(rng, block))
        return self._written(text if rng.random() < 0.7 else rng.choice(TRAPS).format(text))

    def name(self) -> str:
        """One that is sought in a third of all cases."""
        name = self._rng.choice([*PLAIN, *OTHERS, *OTHERS])
        return self._written(self._rng.choice([name, name, spelt.cased(self._rng, name), name + "."]))

    def word(self) -> str:
        """Either, or nothing."""
        return self._rng.choice([self.address, self.name, self.nothing])()

    def nothing(self) -> str:
        return self._rng.choice(["-", "", "(empty)", "10.0.0.9"])

    def _written(self, text: str) -> str:
        return spelt.escaped(self._rng, text, self._escape, 0.1) if self._escape else text


TRAPS = ("{}.zen.example.org", "1{}", "{}1", "x{}", "1.{}", "{}.1", "TXT 20 v=spf1 ip4:{} -all", "{} ", "a,{}")
PLAIN = (
    "k3xq.example.net",
    "a.bc.example.org",
    "odd name.example.com",
    "b\u00fccher.example.net",
    "xn--bcher-kva.example.net",
)
OTHERS = ("www.example.net", "xk3xq.example.net", "k3xq.example.net.example.org", "example.net", "n.example.info")
COLUMNS = (
    making.FIELDS, ("ts", "id.orig_h", "query", "qtype_name", "answers"), ("ts", "id.orig_h", "id.resp_h", "server_name"),
    ("ts", "id.orig_h", "id.resp_h", "uid"),
)  # fmt: skip
PATHS = ("dns", "dns", "ssl", "conn")


def rubbish(rng: random.Random) -> bytes:
    return rng.choice([b"", b"{", b"#", b"\r", b"\xff\xfe", b"null", b"[]", b'{"ts":', rng.randbytes(9).replace(b"\n", b"")])


class ZeekLog:
    """A log of both ways to write, with headers wherever they may stand."""

    def __init__(self, rng: random.Random, blocks: Sequence[Netblock]) -> None:
        self._rng = rng
        self._words = Words(rng, blocks, "\\x{:02x}")
        self._columns = 0
        self._within = ","

    def text(self) -> bytes:
        rng = self._rng
        parts = [rng.choice([b"", b"\xef\xbb\xbf"]), rng.choice([self.header, self.row])()]
        for _ in range(60):
            made = rng.choices([self.row, self.json, self.header, rubbish_of(rng)], [10, 6, 1, 1])[0]()
            parts += [made, rng.choice([b"\n", b"\n", b"\n", b"\r\n", b"\n\n"])]
        return b"".join(parts[: rng.choice([None, -1])])

    def header(self) -> bytes:
        if self._rng.random() < 0.3:
            self._within = self._rng.choice(",|,|1")
            return f"#set_separator\t{self._within}".encode()
        self._columns, self._within = self._rng.randrange(len(COLUMNS)), ","
        return making.header(*COLUMNS[self._columns], path=PATHS[self._columns]).rstrip()

    def row(self) -> bytes:
        rng, words = self._rng, self._words
        answers = [rng.choice([words.address, words.address, words.name])() for _ in range(rng.randrange(4))]
        cells = {
            "ts": "1793491200.5", "id.orig_h": "10.1.2.3", "id.resp_h": words.address(), "query": words.name(),
            "server_name": words.name(), "qtype_name": rng.choice(["A", "A", "AAAA", "TXT", "-"]),
            "answers": self._within.join(answers) or "-",
        }  # fmt: skip
        return "\t".join(cells.get(name, "-") for name in COLUMNS[self._columns]).encode()

    def json(self) -> bytes:
        rng, words = self._rng, self._words
        values = {
            "ts": 1793491200.5, "uid": "C1", "id.orig_h": "10.1.2.3", "id.resp_h": words.address(),
            rng.choice(["query", "query", "query", "server_name", "host"]): words.name(), "trans_depth": 1,
            "qtype_name": rng.choice(["A", "A", "AAAA", "TXT"]), "answers": [words.word() for _ in range(rng.randrange(4))],
        }  # fmt: skip
        separators = rng.choice([(",", ":"), (", ", ": ")])
        return json_text(rng, json.dumps(values, separators=separators, ensure_ascii=rng.random() < 0.5))


def json_text(rng: random.Random, text: str) -> bytes:
    r"""JSON in which now and then letters of texts are spelt `\u0031`."""
    parts = re.split(r"(?<=[\"])([a-zA-Z0-9.:-]+)(?=\")", text)
    return "".join(
        spelt.escaped(rng, part, "\\u{:04x}", 0.05) if place % 2 else part for place, part in enumerate(parts)
    ).encode()


def rubbish_of(rng: random.Random) -> Callable[[], bytes]:
    return lambda: rubbish(rng)


def drawn(rng: random.Random) -> Sought:
    """What to look for: netblocks and, half of the time, names."""
    return Sought(spelt.netblocks(rng), rng.choice([(), WATCHED[:1], WATCHED]))


seeds = st.integers(0, 2**64).map(random.Random)


class TestZeek:
    @settings(max_examples=250)
    @given(rng=seeds)
    def test_a_log_gives_what_parsing_every_line_of_it_gives(self, rng: random.Random) -> None:
        sought = drawn(rng)
        text = ZeekLog(rng, sought.netblocks).text()
        pieces = [rng.choice([1, 16, 50, 117, 1000, 100_000]) for _ in range(3)]
        plain = from_pipe(text, sought, "zeek", pieces, every_line=True)
        assert from_pipe(text, sought, "zeek", pieces, every_line=False) == plain

    def test_such_logs_have_much_to_find(self) -> None:
        found = []
        for seed in range(20):
            rng = random.Random(seed)
            sought = drawn(rng)
            found.append(len(from_pipe(ZeekLog(rng, sought.netblocks).text(), sought, "zeek", [1000], every_line=True)))
        assert sum(found) > 200

    def test_netblocks_that_are_everywhere_have_every_line_parsed(self) -> None:
        rng = random.Random(1)
        sought = Sought([parse_netblock("0.0.0.0/1"), parse_netblock("198.51.100.0/24")])
        text = ZeekLog(rng, sought.netblocks[1:]).text()
        plain = from_pipe(text, sought, "zeek", [100], every_line=True)
        assert from_pipe(text, sought, "zeek", [100], every_line=False) == plain != []


def big_log(rows: int, wanted: Sequence[int]) -> bytes:
    """A log of many buffers; the rows of these numbers lead into the netblock."""
    hit = set(wanted)
    made = (
        making.Exchange(f"n{number}.example.net", answers=("198.51.100.7" if number in hit else "192.0.2.7",))
        for number in range(rows)
    )
    return making.tsv_log(made)


NETBLOCK = Sought([parse_netblock("198.51.100.0/24")])


class TestFiles:
    WANTED = (*range(0, 9000, 7), 8999)

    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
    def test_a_file_of_many_buffers_gives_all_that_is_in_it(self, tmp_path: Path, packed: bool) -> None:
        text = big_log(9000, self.WANTED)
        assert len(text) > 1_000_000
        (tmp_path / "dns.log").write_bytes(gzip.compress(text, 1) if packed else text)
        found = from_file(tmp_path / "dns.log", NETBLOCK, "auto", every_line=False)
        assert [one.record.rrname for one in found] == [f"n{number}.example.net" for number in self.WANTED]
        assert found == from_file(tmp_path / "dns.log", NETBLOCK, "auto", every_line=True)

    def test_a_damaged_file_gives_all_that_can_be_read(self, tmp_path: Path) -> None:
        packed = gzip.compress(big_log(9000, range(9000)), 1)
        (tmp_path / "dns.log.gz").write_bytes(packed[: len(packed) // 2])
        troubles: list[Trouble] = []
        found = list(search([str(tmp_path / "dns.log.gz")], Formats(), NETBLOCK, report=troubles.append))
        assert found == from_file(tmp_path / "dns.log.gz", NETBLOCK, "auto", every_line=True)
        assert len(found) > 3000
        assert [trouble.reason.partition(" (")[0].split(" after ")[0] for trouble in troubles] == ["damaged"]

    @pytest.mark.parametrize("length", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE])
    @pytest.mark.parametrize("end", [b"\n", b""], ids=["whole", "torn"])
    def test_lines_that_are_too_long_hide_nothing_behind_them(self, tmp_path: Path, length: int, end: bytes) -> None:
        hit = making.json_line(making.Exchange("k3xq.example.net", answers=("198.51.100.7",)))
        long = hit.replace(b'"uid"', b'"pad":"' + b"x" * (length - len(hit) - 8) + b'","uid"', 1).rstrip() + end
        (tmp_path / "dns.log").write_bytes(hit + long + (hit if end else b""))
        found = from_file(tmp_path / "dns.log", NETBLOCK, "zeek", every_line=False)
        assert found == from_file(tmp_path / "dns.log", NETBLOCK, "zeek", every_line=True)
        assert len(found) >= (2 if end else 1)

    def test_a_file_that_shrinks_while_it_is_read_ends_where_it_ends_by_then(self, tmp_path: Path) -> None:
        path = tmp_path / "dns.log"
        path.write_bytes(big_log(9000, range(9000)))
        found = search([str(path)], Formats(), NETBLOCK, report=ignore)
        next(found)
        with path.open("r+b") as file:
            file.truncate(600_000)
        assert 1000 < len(list(found)) < 8999

    def test_no_lines_are_refused_but_those_that_hold_a_trace(self, tmp_path: Path) -> None:
        (tmp_path / "dns.log").write_bytes(making.header() + b"torn\n" + b"torn 198.51.100.7\n" + b"torn\n")
        troubles: list[Trouble] = []
        assert list(search([str(tmp_path / "dns.log")], Formats(), NETBLOCK, report=troubles.append)) == []
        assert [(trouble.lines, trouble.sample) for trouble in troubles] == [(1, "torn 198.51.100.7")]
        list(search([str(tmp_path / "dns.log")], Formats(), NETBLOCK, report=troubles.append, every_line=True))
        assert troubles[1].lines == 3


WITHOUT = """
import sys
sys.modules["hyperscan"] = sys.modules["stringzilla"] = None
from feedsvc.names import parse_netblock
from feedsvc.sources.logs import Formats
from feedsvc.sources.sweeping import Sought, search
for found in search(sys.argv[1:], Formats(), Sought([parse_netblock("198.51.100.0/24")]), report=print):
    print(found.record.rrname)
"""


def test_where_no_engine_is_installed_every_line_is_parsed_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "dns.log").write_bytes(big_log(20, [7]))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path / "dns.log")],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "n7.example.net\n"
    assert "stringzilla is not installed; every line is parsed" in done.stderr


# -- eve ---------------------------------------------------------------------------------------------------------------


class EveLog:
    """Events of any version of dns, and of tls, http and others, few of whose flows are told apart."""

    def __init__(self, rng: random.Random, blocks: Sequence[Netblock], versions: Sequence[int]) -> None:
        self._rng = rng
        self._words = Words(rng, blocks, "")
        self._versions = versions
        self._time = 0.0

    def text(self) -> bytes:
        lines = [rubbish(self._rng) if self._rng.random() < 0.05 else self.line() for _ in range(40)]
        return b"\n".join(lines) + self._rng.choice([b"", b"\n"])

    def line(self) -> bytes:
        text = json.dumps(self.event(), separators=(",", ":"), ensure_ascii=self._rng.random() < 0.5).replace("/", "\\/")
        return self._rng.choice([b"", b"", b"@cee: "]) + json_text(self._rng, text)

    def event(self) -> dict[str, object]:
        rng, words = self._rng, self._words
        self._time += rng.choice([0.1, 0.1, 4, -2])
        client_port, server_port = rng.choice([(40000, 53), (40000, 53), (40000, 53), (53, 40000), (5300, 5301)])
        kind = rng.choice(["dns", "dns", "dns", "dns", "tls", "http", "flow", "alert"])
        event: dict[str, object] = {
            "timestamp": stamp(1793491200 + self._time), "flow_id": rng.randint(1, 4), "event_type": kind,
            "src_ip": "10.1.2.3", "src_port": client_port, "dest_ip": words.address(), "dest_port": server_port,
        }  # fmt: skip
        if kind == "dns":
            event["dns"] = self.dns()
        elif kind in {"tls", "alert"}:
            event["tls"] = {"sni": words.name()}
        elif kind == "http":
            event["http"] = {"hostname": words.name(), "url": rng.choice(["/", "http://x.example/"])}
        return event

    def dns(self) -> dict[str, object]:
        rng, words = self._rng, self._words
        version, question = (
            rng.choice(self._versions),
            {"rrname": words.name(), "rrtype": rng.choice(["A", "AAAA", "CNAME"])},
        )
        is_request = rng.random() < 0.4
        kind = rng.choice(["query", "request"] if is_request else ["answer", "response"])
        dns: dict[str, object] = {"type": kind, "id": rng.randint(1, 2)}
        if version == 1:
            return dns | question | ({} if is_request else {"rdata": words.word()})
        dns |= {"version": version} | ({"queries": [question]} if version == 3 else question)
        if rng.random() < 0.05:
            dns |= {"queries": []}
        return dns if is_request else dns | self.answers(question["rrname"])

    def answers(self, asked: str) -> dict[str, object]:
        rng, words = self._rng, self._words
        given, grouped = [], dict[str, list[str]]()
        for _ in range(rng.randrange(4)):
            rrtype = rng.choice(["A", "A", "AAAA", "CNAME", "TXT"])
            rdata = words.name() if rrtype == "CNAME" else words.address()
            given.append({"rrname": rng.choice([asked, asked, words.name()]), "rrtype": rrtype, "rdata": rdata})
            grouped.setdefault(rrtype, []).append(rdata)
        return rng.choice([{"answers": given}, {"grouped": grouped}, {"answers": given, "grouped": grouped}])


class TestEve:
    @settings(max_examples=250)
    @given(rng=seeds)
    def test_a_log_gives_what_parsing_every_line_of_it_gives(self, rng: random.Random) -> None:
        sought = drawn(rng)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "eve.json")
            path.write_bytes(EveLog(rng, sought.netblocks, rng.choice([(2, 3), (2, 3), (1,), (1, 2, 3)])).text())
            assert from_file(path, sought, "eve", every_line=False) == from_file(path, sought, "eve", every_line=True)


# -- dnstap ------------------------------------------------------------------------------------------------------------

KINDS = ("CLIENT_RESPONSE", "CLIENT_RESPONSE", "CLIENT_QUERY", "RESOLVER_RESPONSE", "AUTH_RESPONSE")


def dnstap_log(rng: random.Random, blocks: Sequence[Netblock]) -> bytes:
    """Streams of some kinds of messages, one behind the other, now and then with a piece lost or of something else."""
    kinds = rng.choice([KINDS, KINDS[:2], KINDS[2:4]])
    parts = [dnstap_making.BEGIN]
    for number in range(60):
        block = rng.choice(blocks)
        address = str(rng.choice([spelt.inside, spelt.inside, spelt.outside])(rng, block))
        name, target = (spelt.cased(rng, rng.choice([WATCHED[0], *OTHERS])) for _ in range(2))
        answers, chain = rng.choice([((target, address), (target,)), ((address,), ()), ((), ())])
        rrtype = rng.choice(["AAAA" if block.version == 6 else "A", "A", "TXT"])
        exchange = making.Exchange(name, rrtype, answers, chain=chain, time=1793491200.0 + 3 * number)
        made = dnstap_making.message(rng.choice(kinds), exchange)
        parts.append(len(made).to_bytes(4, "big") + made)
        if rng.random() < 0.05:
            parts += rng.choice(
                [[dnstap_making.END, dnstap_making.BEGIN], [rng.randbytes(40), dnstap_making.BEGIN], FOREIGN]
            )
    text = b"".join(parts)
    return text[: rng.choice([len(text), rng.randrange(100, len(text))])]


FOREIGN = [dnstap_making.END, framestreams.start(b"protobuf:something.Else"), b"\0\0\0\3abc", dnstap_making.END]


class TestDnstap:
    @settings(max_examples=150)
    @given(rng=seeds)
    def test_a_log_gives_what_parsing_every_frame_of_it_gives(self, rng: random.Random) -> None:
        sought = drawn(rng)
        text, pieces = dnstap_log(rng, sought.netblocks), [rng.choice([7, 60, 300, 100_000]) for _ in range(3)]
        plain = from_pipe(text, sought, "dnstap", pieces, every_line=True)
        assert from_pipe(text, sought, "dnstap", pieces, every_line=False) == plain

    def test_such_logs_have_much_to_find(self) -> None:
        found = 0
        for seed in range(20):
            rng = random.Random(seed)
            sought = drawn(rng)
            found += len(from_pipe(dnstap_log(rng, sought.netblocks), sought, "dnstap", [1000], every_line=True))
        assert found > 100
