"""How fast logs are searched for netblocks, beside ripgrep, grepcidr and DuckDB on the same files in the same run.

Ours is `sources.sweeping.search`: from the file's path to the records. ripgrep looks for the texts that addresses begin
with, and each line it prints is parsed and held against the netblocks, in Python; grepcidr prints lines and nobody looks at
them; DuckDB reads the columns and joins the addresses with the netblocks, by ASOF, its join for ranges, and once more (told
without a target) by their first two octets, which holds as long as no netblock is larger than a /16. All but grepcidr must
find as many lines.
Nobody's imports count. What is part of each search does: compiling what is looked for, the start of ripgrep and grepcidr.

Targets, as ratios of speed: one /24: 0.5 of ripgrep, 10 x grepcidr. 1,000 netblocks: 1.5 x ripgrep, 4 x grepcidr, 4 x
DuckDB. Compressed logs: 0.8 of the bare decoding by isal (gzip) and zstandard (zstd), which is told for both searches.

Needs the programs rg, grepcidr, gzip and zstd (Debian: ripgrep, grepcidr, gzip, zstd) and the Python packages of the group
`bench` (duckdb, zstandard); what is missing is left out, and said. The logs are made here, and kept in a folder if one is
named.

Usage: python benchmarks/sweep.py [--lines 1000000] [--folder DIR] [--runs 3] [--only zeek-tsv,zeek-json,eve] [--busy]
On a machine that is busy, `--busy` compares the processor time of each with the processes that it starts; that of DuckDB and
of our decoding ahead, which use two processors, is then all of both.
"""

from __future__ import annotations

import argparse
import importlib
import ipaddress
import json
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
from isal import igzip

from feedsvc.names import Netblock, NetblockMap, parse_netblock
from feedsvc.sources.logs import Formats
from feedsvc.sources.readings import address_of
from feedsvc.sources.sweeping import Sought, search
from feedsvc.sources.traces import text_traces

ONE = "198.51.100.0/24"
BODIES = 20_000
PAST_HEADER = 8  # lines of Zeek's header
FIELDS = (
    *("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "trans_id", "rtt", "query", "qclass"),
    *(
        "qclass_name",
        "qtype",
        "qtype_name",
        "rcode",
        "rcode_name",
        "AA",
        "TC",
        "RD",
        "RA",
        "Z",
        "answers",
        "TTLs",
        "rejected",
    ),
)

Answer = tuple[str, str]  # type, and what it says


# -- logs --------------------------------------------------------------------------------------------------------------


def made_netblocks(rng: random.Random, count: int) -> list[Netblock]:
    """Netblocks of /16 to /32 that do not overlap, none of them where the watched one or the clients are."""
    found: dict[int, Netblock] = {}
    while len(found) < count:
        length, value = rng.randint(16, 32), rng.randrange(11 << 24, 224 << 24)
        first = value >> (32 - length) << (32 - length)
        if value >> 24 not in {127, 169, 172, 192, 198, 203}:
            found.setdefault(first >> 16, Netblock(4, first, first | (1 << (32 - length)) - 1))
    return list(found.values())


class Traffic:
    """What clients ask and are answered, some names much more often than others; two in a thousand lead into netblocks."""

    def __init__(self, netblocks: Sequence[Netblock]) -> None:
        self._rng = random.Random(2013)
        self._netblocks = netblocks
        self.bodies = [self._body() for _ in range(BODIES)]
        self.order = [int(BODIES * self._rng.random() ** 3) for _ in range(65_536)]

    def _body(self) -> tuple[str, str, list[Answer]]:
        rng = self._rng
        name = (
            f"{rng.choice(['www', 'api', 'cdn', 'img'])}.{rng.getrandbits(40):x}.example.{rng.choice(['com', 'net', 'org'])}"
        )
        rrtype = rng.choices(["A", "AAAA", "HTTPS", "TXT"], [50, 28, 15, 7])[0]
        if rrtype == "HTTPS" or rng.random() < 0.1:
            return name, rrtype, []
        if rrtype == "TXT":
            return name, rrtype, [("TXT", f"v=spf1 include:_spf.{name} ~all")]
        chain = [("CNAME", f"edge-{rng.randrange(9999)}.{name}") for _ in range(rng.choice([0, 0, 0, 1, 2]))]
        return name, rrtype, [*chain, *((rrtype, self.address(rrtype)) for _ in range(rng.choice([1, 1, 2, 4, 8])))]

    def address(self, rrtype: str) -> str:
        rng = self._rng
        if rrtype == "AAAA":
            return str(ipaddress.IPv6Address(0x2A00 << 112 | rng.getrandbits(28) << 84 | rng.getrandbits(64)))
        block = rng.choice(self._netblocks)
        outside = rng.randrange(11 << 24, 120 << 24)
        return str(ipaddress.IPv4Address(rng.randint(block.first, block.last) if rng.random() < 0.00025 else outside))

    def special(self, number: int) -> tuple[str, str, list[Answer]] | None:
        """Ten names in the watched /24 in a million lines, and twenty that only look so."""
        if number % 33_333 != 77:
            return None
        address, place = f"198.51.100.{number % 256}", number // 33_333 % 3
        if place == 0:
            return "k3xq.example.net", "A", [("A", address)]
        if place == 1:
            return f"{address}.zen.example.org", "A", [("A", "192.0.2.7")]
        return "www.example.org", "TXT", [("TXT", f"v=spf1 ip4:{address} -all")]


def zeek_values(body: tuple[str, str, list[Answer]]) -> dict[str, Any]:
    name, rrtype, answers = body
    spelt = [f"TXT {len(said)} {said}" if kind == "TXT" else said for kind, said in answers]
    number = {"A": 1, "AAAA": 28, "HTTPS": 65, "TXT": 16}[rrtype]
    return {
        "query": name, "qclass": 1, "qclass_name": "C_INTERNET", "qtype": number, "qtype_name": rrtype, "rcode": 0,
        "rcode_name": "NOERROR", "AA": False, "TC": False, "RD": True, "RA": True, "Z": 0, "answers": spelt,
        "TTLs": [60.0] * len(spelt), "rejected": False,
    }  # fmt: skip


def tsv_tail(body: tuple[str, str, list[Answer]]) -> str:
    spelt = []
    for value in zeek_values(body).values():
        if isinstance(value, list):
            spelt.append(",".join(f"{one:.6f}" if isinstance(one, float) else one for one in value) or "-")
        else:
            spelt.append("FT"[value] if isinstance(value, bool) else str(value))
    return "\t".join(spelt) + "\n"


def json_tail(body: tuple[str, str, list[Answer]]) -> str:
    return json.dumps(zeek_values(body), separators=(",", ":"))[1:] + "\n"


def eve_tail(body: tuple[str, str, list[Answer]]) -> str:
    name, rrtype, answers = body
    grouped: dict[str, list[str]] = {}
    owner, records = name, []
    for kind, said in answers:
        spelt = ipaddress.IPv6Address(said).exploded if kind == "AAAA" else said
        records.append({"rrname": owner, "rrtype": kind, "ttl": 60, "rdata": spelt})
        grouped.setdefault(kind, []).append(spelt)
        owner = said if kind == "CNAME" else owner
    dns = {"flags": "8180", "qr": True, "rd": True, "ra": True, "rrname": name, "rrtype": rrtype, "rcode": "NOERROR"}
    return json.dumps(dns | {"answers": records, "grouped": grouped}, separators=(",", ":"))[1:] + "}\n"


TAILS: dict[str, Callable[[tuple[str, str, list[Answer]]], str]] = {
    "zeek-tsv": tsv_tail, "zeek-json": json_tail, "eve": eve_tail,
}  # fmt: skip


def head_of(form: str, number: int) -> str:
    """What stands before the answer: times, ends, numbers."""
    time_, client = f"{1793491200 + number / 2500:.6f}", f"10.{number % 40}.{number * 7 % 256}.{number * 13 % 254 + 1}"
    port, mark = 16_384 + number % 49_000, f"{number * 2654435761 % 2**44:011x}"
    if form == "zeek-tsv":
        return f"{time_}\tC{mark}\t{client}\t{port}\t10.0.0.53\t53\tudp\t{number % 65536}\t0.00{number % 4096:04d}\t"
    if form == "zeek-json":
        ends = f'"id.orig_h":"{client}","id.orig_p":{port},"id.resp_h":"10.0.0.53","id.resp_p":53'
        return f'{{"ts":{time_},"uid":"C{mark}",{ends},"proto":"udp","trans_id":{number % 65536},"rtt":0.0012,'
    clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1793491200 + number // 2500))
    return (
        f'{{"timestamp":"{clock}.{number * 400 % 1000000:06d}+0000","flow_id":{number * 2654435761 % 2**49},'
        f'"in_iface":"eth0","event_type":"dns","src_ip":"{client}","src_port":{port},"dest_ip":"10.0.0.53","dest_port":53,"proto":"UDP",'
        f'"dns":{{"version":2,"type":"answer","id":{number % 65536},'
    )


def make_log(path: Path, form: str, traffic: Traffic, lines: int) -> None:
    tail = TAILS[form]
    tails = [tail(body) for body in traffic.bodies]
    with path.open("w", encoding="ascii") as out:
        if form == "zeek-tsv":
            out.write("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n")
            out.write("#open\t2026-11-01-00-00-00\n" + "\t".join(["#fields", *FIELDS]) + "\n#types" + "\tstring" * 24 + "\n")
        for number in range(lines):
            special = traffic.special(number)
            body = tails[traffic.order[number * 40503 & 65535]] if special is None else tail(special)
            out.write(head_of(form, number) + body)


# -- who searches ------------------------------------------------------------------------------------------------------


def ours(path: Path, form: str, netblocks: Sequence[Netblock]) -> int:
    formats = Formats("eve" if form == "eve" else "zeek")
    return sum(1 for _ in search([str(path)], formats, Sought(netblocks), report=print))


class _Zeek(msgspec.Struct):
    qtype_name: str = ""
    answers: list[str] = []


class _Record(msgspec.Struct):
    rrtype: str = ""
    rdata: str = ""


class _Dns(msgspec.Struct):
    answers: list[_Record] = []


class _Eve(msgspec.Struct):
    dns: _Dns


_ZEEK, _EVE = msgspec.json.Decoder(_Zeek), msgspec.json.Decoder(_Eve)


def answers_of(line: bytes, form: str) -> list[str]:
    """The addresses that a line answers, with as little work as that takes."""
    if form == "eve":
        return [one.rdata for one in _EVE.decode(line).dns.answers if one.rrtype in {"A", "AAAA"}]
    if form == "zeek-json":
        zeek = _ZEEK.decode(line)
        return zeek.answers if zeek.qtype_name in {"A", "AAAA"} else []
    cells = line.split(b"\t")
    return cells[21].decode().split(",") if cells[13] in {b"A", b"AAAA"} else []


def ripgrep(path: Path, form: str, netblocks: Sequence[Netblock]) -> int:
    inside, hits = NetblockMap(netblocks), 0
    quads = [trace.text for trace in text_traces(netblocks, ()) or () if trace.address == "begins"]
    with tempfile.NamedTemporaryFile() as patterns:
        patterns.write(b"\n".join(quads) + b"\n")
        patterns.flush()
        with subprocess.Popen(["rg", "--no-config", "-F", "-f", patterns.name, path], stdout=subprocess.PIPE) as found:
            for line in found.stdout or ():
                addresses = (address_of(text.encode()) for text in answers_of(line, form))
                hits += any(address is not None and address in inside for address in addresses)
    return hits


def grepcidr(path: Path, form: str, netblocks: Sequence[Netblock]) -> int:
    del form
    with tempfile.NamedTemporaryFile("w") as patterns:
        patterns.write("\n".join(cidr for block in netblocks for cidr in block.cidrs()) + "\n")
        patterns.flush()
        done = subprocess.run(["grepcidr", "-f", patterns.name, path], stdout=subprocess.PIPE, check=True)
    return done.stdout.count(b"\n")


def by_ranges(path: Path, form: str, netblocks: Sequence[Netblock]) -> int:
    return duckdb(path, form, netblocks, "asof join blocks on ip >= first where ip <= last")


def by_octets(path: Path, form: str, netblocks: Sequence[Netblock]) -> int:
    return duckdb(path, form, netblocks, "join blocks on ip // 65536 = top and ip between first and last")


def duckdb(path: Path, form: str, netblocks: Sequence[Netblock], join: str) -> int:
    """How many lines have an address in a netblock; none of these overlap."""
    state = importlib.import_module("duckdb").connect()
    state.execute("create table blocks (top bigint, first bigint, last bigint)")
    rows = [(block.first >> 16, block.first, block.last) for block in netblocks]
    values = ",".join(f"({top},{first},{last})" for top, first, last in rows)
    state.execute(f"insert into blocks values {values}")
    read_json = f"read_json('{path}', format='newline_delimited', columns="
    columns, record = dict.fromkeys(FIELDS, "VARCHAR"), "STRUCT(rrtype VARCHAR, rdata VARCHAR)"
    answers = {
        "zeek-tsv": "(select row_number() over () as line, unnest(string_split(answers, ',')) as ip from "
        f"read_csv('{path}', delim='\t', header=false, skip={PAST_HEADER}, quote='', escape='', auto_detect=false, "
        f"ignore_errors=true, columns={columns}) where qtype_name = 'A')",
        "zeek-json": "(select row_number() over () as line, unnest(answers) as ip from "
        f"{read_json}{{answers: 'VARCHAR[]', qtype_name: 'VARCHAR'}}) where qtype_name = 'A')",
        "eve": "(select line, one.rdata as ip from (select row_number() over () as line, unnest(dns.answers) as one from "
        f"{read_json}{{dns: 'STRUCT(answers {record}[])'}})) where one.rrtype = 'A')",
    }[form]
    number = "((octets[1]::bigint * 256 + octets[2]::bigint) * 256 + octets[3]::bigint) * 256 + octets[4]::bigint"
    split = f"select line, string_split(ip, '.') as octets from {answers} where regexp_full_match(ip, '[0-9.]+')"
    said = f"select line, {number} as ip from ({split}) where len(octets) = 4"
    found = state.execute(f"select count(distinct line) from ({said}) {join}").fetchone()
    state.close()
    return int(found[0]) if found else 0


Searcher = Callable[[Path, str, Sequence[Netblock]], int]
PEERS: dict[str, Searcher] = {"rg": ripgrep, "grepcidr": grepcidr, "duckdb": by_ranges, "duckdb/16": by_octets}
TARGETS = {1: {"rg": 0.5, "grepcidr": 10.0}, 1000: {"rg": 1.5, "grepcidr": 4.0, "duckdb": 4.0}}


def there(peer: str) -> bool:
    found = find_spec("duckdb") if peer.startswith("duckdb") else shutil.which(peer)
    if not found:
        print(f"{peer} is not installed and left out")
    return bool(found)


Best = Callable[[Sequence[Callable[[], int]]], list[tuple[float, int]]]
"""The shortest time of each work, and what it found."""


def on_the_clock() -> float:
    return time.perf_counter()


def of_processors() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def best(work: Sequence[Callable[[], int]], runs: int, now: Callable[[], float]) -> list[tuple[float, int]]:
    """The shortest time of each, and what it found; one after the other, so that all have the same bad moments."""
    times = [float("inf")] * len(work)
    found = [one() for one in work]  # once to warm up
    for _ in range(runs):
        for place, one in enumerate(work):
            begun = now()
            assert one() == found[place]
            times[place] = min(times[place], now() - begun)
    return list(zip(times, found, strict=True))


def told(ratio: float, target: float | None) -> str:
    if target is None:
        return f"{ratio:6.2f}"
    return f"{ratio:6.2f} ({'reaches' if ratio >= target else 'MISSES'} {target:g})"


# -- what is measured --------------------------------------------------------------------------------------------------


def against_peers(path: Path, form: str, netblocks: Sequence[Netblock], peers: Sequence[str], best: Best) -> None:
    size = path.stat().st_size
    everybody: list[Searcher] = [ours, *(PEERS[peer] for peer in peers)]
    (mine, hits), *others = best([partial(one, path, form, netblocks) for one in everybody])
    print(f"{form:10} {len(netblocks):5,} netblocks  ours {mine:6.3f} s {size / mine / 1e6:6,.0f} MB/s {hits:6,} hits")
    for peer, (seconds, count) in zip(peers, others, strict=True):
        assert peer == "grepcidr" or count == hits, f"{peer} finds {count}"
        ratio = told(seconds / mine, TARGETS[len(netblocks)].get(peer))
        print(f"{'':28} {peer:9} {seconds:6.3f} s {size / seconds / 1e6:6,.0f} MB/s {count:6,} hits   ours is x {ratio}")


def decoded(blocks: Callable[[], Iterator[bytes]]) -> int:
    return sum(map(len, blocks()))


def gzip_blocks(path: Path) -> Iterator[bytes]:
    with igzip.open(path, "rb") as file:  # type: ignore[no-untyped-call]
        while block := file.read(1 << 20):
            yield block


def zstd_blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file, importlib.import_module("zstandard").ZstdDecompressor().stream_reader(file) as text:
        while block := text.read(1 << 20):
            yield block


def against_decoding(path: Path, form: str, searches: Sequence[Sequence[Netblock]], best: Best) -> None:
    for packer, blocks in ((["gzip", "-1", "-c"], gzip_blocks), (["zstd", "-3", "-c", "-q"], zstd_blocks)):
        if not shutil.which(packer[0]) or (blocks is zstd_blocks and find_spec("zstandard") is None):
            print(f"{packer[0]} is not installed and left out")
            continue
        packed = path.with_suffix(f".{packer[0]}")
        if not packed.exists():
            with packed.open("wb") as out:
                subprocess.run([*packer, path], stdout=out, check=True)
        works = [partial(decoded, partial(blocks, packed)), *(partial(ours, packed, form, some) for some in searches)]
        (bare, _), *mine = best(works)
        for some, (seconds, hits) in zip(searches, mine, strict=True):
            rate = path.stat().st_size / seconds / 1e6
            ratio = told(bare / seconds, 0.8)
            print(f"{form:10} {packer[0]} {len(some):5,} netblocks {rate:6,.0f} MB/s of text {hits:6,} hits, x {ratio} bare")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--folder", type=Path)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--only", default=",".join(TAILS))
    options.add_argument("--busy", action="store_true")
    asked = options.parse_args()
    measured = partial(best, runs=asked.runs, now=of_processors if asked.busy else on_the_clock)
    many = made_netblocks(random.Random(7), 1000)
    peers = [peer for peer in PEERS if there(peer)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        for form in asked.only.split(","):
            path = folder / f"{form}-{asked.lines}.log"
            if not path.exists():
                make_log(path, form, Traffic(many), asked.lines)
            for netblocks in ([parse_netblock(ONE)], many):
                against_peers(path, form, netblocks, peers, measured)
            against_decoding(path, form, [[parse_netblock(ONE)], many], measured)


if __name__ == "__main__":
    main()
