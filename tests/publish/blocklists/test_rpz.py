"""Response policy zones, read by the named-checkzone of a real BIND."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc import plugins
from feedsvc.publish import namesets
from feedsvc.publish.blocklists import rpz
from tests.publish.making import listed, meta, publishable_names
from tests.tools import need_tool

FORMAT = rpz.build(rpz.Options())
ZONE = rpz.Options().zone


def zone_of(names: list[str] | frozenset[str]) -> bytes:
    """The zone file for these names."""
    rows = namesets.collapsed(listed(names), FORMAT.admits)
    return b"".join(FORMAT.render(rows.listed, meta()))


def check(body: bytes, folder: Path, zone: str = ZONE) -> subprocess.CompletedProcess[str]:
    """What named-checkzone says of a zone file, with the records it understood; it asks no server (-i local)."""
    path = folder / "zone"
    path.write_bytes(body)
    command = [need_tool("named-checkzone", "bind9-utils"), "-i", "local", "-D", "-o", "-", zone, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def owners(result: subprocess.CompletedProcess[str], zone: str = ZONE) -> set[str]:
    """Owner names of the CNAME records that named-checkzone understood, relative to the zone."""
    assert result.returncode == 0, result.stdout + result.stderr
    assert "ignoring out-of-zone data" not in result.stdout + result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if " CNAME " in line.replace("\t", " ")]
    assert all(row[1] == "60" and row[-1] == "." for row in rows)
    return {row[0].removesuffix(f".{zone}.") for row in rows}


def test_bind_reads_each_name_and_all_below_it(tmp_path: Path) -> None:
    result = check(zone_of(["k3xq.example.net", "_dmarc.example.org", "xn--bcher-kva.example.com"]), tmp_path)
    names = {"k3xq.example.net", "_dmarc.example.org", "xn--bcher-kva.example.com"}
    assert owners(result) == names | {f"*.{name}" for name in names}


def test_a_partner_may_call_the_zone_anything(tmp_path: Path) -> None:
    for zone in ("rpz", "policy.partner.example", "a.b.c.d.local"):
        assert owners(check(zone_of(["k3xq.example.net"]), tmp_path, zone), zone) == {
            "k3xq.example.net",
            "*.k3xq.example.net",
        }


def test_bind_reads_an_empty_zone(tmp_path: Path) -> None:
    assert owners(check(zone_of([]), tmp_path)) == set()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.frozensets(publishable_names, max_size=20))
def test_bind_understands_exactly_the_listed_names(tmp_path: Path, names: frozenset[str]) -> None:
    wanted = namesets.collapsed(listed(names)).names
    assert owners(check(zone_of(names), tmp_path)) == wanted | {f"*.{name}" for name in wanted}


def long_name(length: int) -> str:
    """A publishable name of this many characters."""
    labels = ["a" * 60, "b" * 60, "c" * 60]
    rest = length - len(".".join([*labels, "", "net"]))
    return ".".join([*labels, "d" * rest, "net"])


def test_the_longest_name_that_is_admitted_fits_and_one_more_does_not(tmp_path: Path) -> None:
    longest = 253 - len(ZONE) - 3
    fits, breaks = long_name(longest), long_name(longest + 1)
    assert FORMAT.admits(fits) is None
    assert f"*.{fits}" in owners(check(zone_of([fits]), tmp_path))
    assert "too long" in (FORMAT.admits(breaks) or "")
    forced = b"".join(FORMAT.render(listed([breaks]), meta()))
    assert check(forced, tmp_path).returncode != 0


def test_a_longer_zone_name_leaves_less_room() -> None:
    module = plugins.load("blocklists", "rpz")
    roomy, tight = (rpz.build(plugins.read_options(module, {"zone": zone})) for zone in ("rpz", "rpz." + "z" * 60))
    assert roomy.admits(long_name(240)) is None
    assert tight.admits(long_name(240)) is not None


def test_a_zone_name_that_is_none_is_a_fault_of_the_settings() -> None:
    module = plugins.load("blocklists", "rpz")
    with pytest.raises(plugins.OptionFaults, match="zone"):
        plugins.read_options(module, {"zone": "a..b"})


def test_only_known_directives_and_relative_owners_stand_in_it() -> None:
    lines = zone_of(["k3xq.example.net"]).decode().splitlines()
    assert [line for line in lines if line.startswith("$")] == ["$TTL 60"]
    assert not [line for line in lines if line.split()[0].endswith(".")]


def test_the_header_of_another_release_is_read_too() -> None:
    body = zone_of(["k3xq.example.net"]).replace(b"$TTL 60", b"$TTL 300").replace(b"ns.feedsvc.invalid.", b"localhost.")
    assert FORMAT.read_back(body) == FORMAT.read_back(zone_of(["k3xq.example.net"]))


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (b"*.k3xq.example.net CNAME .\n", b""),
        (b"*.k3xq.example.net CNAME .", b"*.k3xq.example.net CNAME *."),
        (b"k3xq.example.net CNAME .\n", b"k3xq.example.net. CNAME .\n"),
        (b"@ NS", b"$ORIGIN com.\n@ NS"),
        (b"$TTL 60\n", b""),
    ],
)
def test_a_zone_that_says_anything_else_is_not_ours(there: bytes, instead: bytes) -> None:
    body = zone_of(["k3xq.example.net"])
    assert there in body
    with pytest.raises(ValueError, match=r"."):
        FORMAT.read_back(body.replace(there, instead))
