"""Attackers choose the names: nothing hostile reaches any output, each is explained, its good neighbours get through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from feedsvc.history.port import FeedQuery
from feedsvc.model import Status
from feedsvc.pipeline import reading
from tests.site import Site, ago
from tests.standins.cof import CofServer, row

DATA = Path(__file__).parent.parent / "data" / "pdns"

GOOD = ["k3xq.example.net", "_dmarc.example.org", "1234.example.com", "xn--bcher-kva.de", "a-b--c.example.net"]

# Name in presentation format -> what its explanation speaks of.
DECODABLE: Mapping[str, str] = {
    "a\\010b.example.net.": "control",
    "a\\013\\010evil.example.net.": "control",
    "two\\032words.example.net.": "blank",
    "nul\\000byte.example.net.": "control",
    'quo\\"te.example.net.': "character",
    "semi\\;colon.example.net.": "character",
    "paren\\(.example.net.": "character",
    "at\\@sign.example.net.": "character",
    "back\\\\slash.example.net.": "backslash",
    "dot\\.inside.example.net.": "dot",
    "$INCLUDE.example.net.": "character",
    "$GENERATE\\0321-9.example.net.": "",
    "*.example.net.": "wildcard",
    "<script>.example.net.": "character",
    "=cmd|'.example.net.": "character",
    "{{7*7}}.example.net.": "character",
    "${jndi.example.net.": "character",
    "caf\\195\\169.example.net.": "byte",
    "co.uk.": "public suffix",
    "github.io.": "public suffix",
    "info.ro.": "public suffix",
    "com.": "public suffix",
    "0x7f.1.": "address",
    "evil.localhost.": "special-use",
    "evil.test.": "special-use",
    "evil.onion.": "special-use",
    "7.100.51.198.in-addr.arpa.": "special-use",
    "32.1.2.0.192.rpz-ip.": "",
    "0.0.0.0.0.rpz-client-ip.": "",
    "x.rpz-drop.": "",
    "evil.notatld.": "top-level",
    "-lead.example.net.": "hyphen",
    "trail-.example.net.": "hyphen",
    "xn--zzzz-not-valid-punycode-99999.example.net.": "A-label",
    "k3xq.exa_mple.com.": "underscore",
}

# What does not even decode to a name, or is none.
UNDECODABLE = [
    "a..b.example.net.",
    ".example.net.",
    f"{'c' * 64}.example.net.",
    ".".join(["d" * 60] * 5),
    "ban\u212a.example.net.",
    "full\uff0ewidth.example.net.",
    "ideo\u3002graphic.example.net.",
    "bad\\999.example.net.",
    "half\\",
    "198.51.100.7.",
    "\ud800.example.net.",
    ".",
]


@pytest.fixture
def site(tmp_path: Path, server: CofServer) -> Site:
    hostile = [*DECODABLE, *UNDECODABLE]
    server.rows = [
        row(name, f"198.51.100.{at % 16}", ago(hours=2), ago(minutes=2)) for at, name in enumerate([*GOOD, *hostile])
    ]
    rule: dict[str, object] = {"names": {"not_under": ["allowed.example.net"]}, "baseline": "publish"}
    return Site(tmp_path, pdns_url=server.url, rule=rule).write()


def outputs(site: Site) -> bytes:
    """Every byte that leaves: files, and the feed."""
    with site.parts() as parts:
        page = parts.history.feed.objects(FeedQuery(parts.collections[0].id, 4, 1000, versions=frozenset({"all"})))
    return b"\n".join([*site.export_bytes().values(), *(one.body for one in page.rows)])


def test_nothing_hostile_leaves_and_every_good_name_does(site: Site) -> None:
    delta = site.poll().delta
    assert sorted(site.listed()) == sorted(GOOD)
    assert sorted(one.name for one in delta.published) == sorted(GOOD)
    left = outputs(site)
    for name in [*DECODABLE, *UNDECODABLE]:
        plain = name.rstrip(".").encode("utf-8", "surrogatepass")
        assert plain not in left or any(good.endswith(plain.decode()) for good in GOOD), name


def test_what_decodes_is_rejected_with_the_reason(site: Site) -> None:
    site.poll()
    with site.parts() as parts:
        for name, said in DECODABLE.items():
            told = reading.explain(parts, name)
            assert [one.status for one in told.findings] == [Status.REJECTED], name
            assert said in told.findings[0].reason, (name, told.findings[0].reason)
            assert told.lists, name


def test_what_does_not_decode_is_counted_with_a_sample_and_explained(site: Site) -> None:
    [source] = site.poll().delta.sources
    counted = sum(one.count for one in source.refused)
    assert counted >= len(UNDECODABLE)
    assert all(one.sample.isprintable() for one in source.refused)
    with site.parts() as parts:
        for name in UNDECODABLE:
            told = reading.explain(parts, name)
            assert not told.verdict, name


def test_nobody_can_approve_a_hostile_name(site: Site) -> None:
    site.poll()
    assert "public suffix" in site.fails("review", "approve", "co.uk", "--reason", "please")


def recorded(name: str) -> bytes:
    """A recorded answer as COF lines; what DNSDB frames is taken out of its frames."""
    lines = (DATA / name).read_bytes().splitlines()
    if "dnsdb" not in name:
        return b"\n".join(lines)
    objects = [json.loads(line).get("obj") for line in lines]
    return b"\n".join(json.dumps(one).encode() for one in objects if one)


@pytest.mark.parametrize("name", ["cof/hostile.ndjson", "cof/odd_names.ndjson", "dnsdb/hostile.saf.ndjson"])
def test_a_recorded_hostile_answer_publishes_nothing(tmp_path: Path, server: CofServer, name: str) -> None:
    server.answers = {f"198.51.100.{at}": recorded(name) for at in range(16)}
    rule: dict[str, object] = {"names": {"not_under": ["allowed.example.net"]}, "baseline": "publish"}
    [source] = Site(tmp_path, pdns_url=server.url, rule=rule).write().poll().delta.sources
    assert (tmp_path / "exports" / "domains.txt").read_bytes() == b""
    assert source.refused
