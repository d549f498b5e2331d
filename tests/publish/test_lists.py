"""The list writer on a real folder."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import PublishError
from feedsvc.model import ListedName
from feedsvc.publish.blocklists import domains, hosts, rpz
from feedsvc.publish.disk import Disk, File
from feedsvc.publish.lists import TEMPORARY, Order, Written, write_exports
from feedsvc.publish.port import BlockListFormat, ListMeta
from tests.making import NOW
from tests.publish.making import HOSTILE, SERIAL, listed, publishable_names

DOMAINS = domains.build(domains.Options())
RPZ = rpz.build(rpz.Options())


def order(names: Iterable[str], form: BlockListFormat = DOMAINS, **fields: Any) -> Order:
    """An order for one list called `list`."""
    return dataclasses.replace(Order("list", "domains", form, listed(names)), **fields)


def write(folder: Path, *orders: Order, later: float = 0, **settings: Any) -> tuple[Written, ...]:
    """Write at a moment some seconds after NOW."""
    return write_exports(folder, orders, NOW + timedelta(seconds=later), **settings)


def some(count: int) -> list[str]:
    """That many names."""
    return [f"n{number:03d}.example.net" for number in range(count)]


def look(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, inode and time of every file of a folder."""
    return {path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_list_is_written_and_told_of(tmp_path: Path) -> None:
    (written,) = write(tmp_path / "new" / "exports", order(some(2)))
    body = b"n000.example.net\nn001.example.net\n"
    assert (tmp_path / "new" / "exports" / "list").read_bytes() == body
    assert written.changed
    state = written.state
    assert (state.name, state.format, state.count, state.serial, state.held) == ("list", "domains", 2, SERIAL, "")
    assert state.sha256 == hashlib.sha256(body).hexdigest()
    assert state.changed_at == NOW


def test_the_same_names_again_touch_nothing(tmp_path: Path) -> None:
    orders = [order(some(3)), order(some(3), RPZ, name="zone", format_name="rpz")]
    first = write(tmp_path, *orders)
    before = look(tmp_path)
    second = write(tmp_path, *orders, later=1000)
    assert look(tmp_path) == before
    assert [one.changed for one in second] == [False, False]
    assert [one.state for one in second] == [one.state for one in first]


def test_a_list_that_never_existed_is_written_even_when_empty(tmp_path: Path) -> None:
    (written,) = write(tmp_path, order([], RPZ))
    assert written.changed
    assert RPZ.read_back((tmp_path / "list").read_bytes()) == (frozenset(), SERIAL)


def test_the_file_is_replaced_by_a_rename_and_readable_by_all(tmp_path: Path) -> None:
    write(tmp_path, order(some(1)))
    with (tmp_path / "list").open("rb") as reader:
        write(tmp_path, order(some(2)), later=10)
        assert reader.read() == b"n000.example.net\n"
    assert (tmp_path / "list").stat().st_mode & 0o444 == 0o444 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_serial_is_the_time_of_the_change_and_the_files_own(tmp_path: Path) -> None:
    write(tmp_path, order(some(1), RPZ))
    (written,) = write(tmp_path, order(some(2), RPZ), later=500)
    assert written.state.serial == SERIAL + 500
    assert RPZ.read_back((tmp_path / "list").read_bytes())[1] == SERIAL + 500
    assert (tmp_path / "list").stat().st_mtime == SERIAL + 500


@pytest.mark.parametrize("later", [0, -5000])
def test_the_serial_rises_even_when_the_clock_does_not(tmp_path: Path, later: int) -> None:
    for form in (RPZ, DOMAINS):
        folder = tmp_path / form.names
        serials = [write(folder, order(some(count), form), later=later * count)[0].state.serial for count in (1, 2, 3)]
        assert serials == [serials[0], serials[0] + 1, serials[0] + 2]


def test_the_serial_rises_even_when_the_file_is_gone(tmp_path: Path) -> None:
    (first,) = write(tmp_path, order(some(3), RPZ))
    (tmp_path / "list").unlink()
    (second,) = write(tmp_path, order(some(3), RPZ, previous=first.state))
    assert second.state.serial == first.state.serial + 1


def test_the_serial_rises_above_what_readers_had_before_a_backup_came_back(tmp_path: Path) -> None:
    write(tmp_path, order(some(3), RPZ))
    backup = (tmp_path / "list").read_bytes()
    (lost,) = write(tmp_path, order(some(4), RPZ), later=900)
    (tmp_path / "list").write_bytes(backup)
    (again,) = write(tmp_path, order(some(5), RPZ, previous=lost.state), later=100)
    assert again.state.serial == lost.state.serial + 1


def test_a_serial_that_cannot_rise_is_said_and_the_file_stays(tmp_path: Path) -> None:
    write(tmp_path, order(some(1), RPZ))
    path = tmp_path / "list"
    path.write_bytes(path.read_bytes().replace(str(SERIAL).encode(), b"4294967295"))
    before = look(tmp_path)
    (written,) = write(tmp_path, order(some(2), RPZ))
    assert "4294967295 cannot rise" in written.state.held
    assert look(tmp_path)["list"] == before["list"]


def test_a_list_that_would_shrink_too_far_stays_and_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, order(some(10)))
    before = look(tmp_path)
    (held,) = write(tmp_path, order(some(7)), later=9)
    assert not held.changed
    assert held.state.held.startswith("3 of 10 names would leave without a person's decision, 2 may")
    assert "feedsvc export list --accept-shrink" in held.state.held
    assert held.state.count == 10
    assert look(tmp_path) == before
    (accepted,) = write(tmp_path, order(some(7), accept_shrink=True), later=9)
    assert accepted.changed
    assert accepted.state.held == ""


def test_the_limit_is_the_configured_one(tmp_path: Path) -> None:
    write(tmp_path, order(some(10)))
    (written,) = write(tmp_path, order(some(5)), shrink=0.5)
    assert written.changed


def test_an_empty_set_never_replaces_a_list_that_has_names(tmp_path: Path) -> None:
    write(tmp_path, order(some(1)))
    (held,) = write(tmp_path, order([]))
    assert held.state.held
    assert (tmp_path / "list").read_bytes() == b"n000.example.net\n"


def test_a_person_may_empty_a_list(tmp_path: Path) -> None:
    write(tmp_path, order(some(3)))
    (written,) = write(tmp_path, order([], authorised=frozenset(some(3))), later=1)
    assert written.changed
    assert (tmp_path / "list").read_bytes() == b""


@pytest.mark.parametrize("form", [DOMAINS, RPZ, hosts.build(hosts.Options())])
def test_a_revocation_leaves_even_a_held_list(tmp_path: Path, form: BlockListFormat) -> None:
    write(tmp_path, order(some(10), form))
    revoked = frozenset({"n004.example.net"})
    (held,) = write(tmp_path, order(some(2), form, authorised=revoked), later=5)
    assert held.changed
    assert held.state.held
    assert held.state.count == 9
    assert form.read_back((tmp_path / "list").read_bytes())[0] == frozenset(some(10)) - revoked
    before = look(tmp_path)
    (again,) = write(tmp_path, order(some(2), form, authorised=revoked), later=50)
    assert not again.changed
    assert again.state.held
    assert look(tmp_path) == before


def test_a_held_list_whose_names_the_gate_refuses_by_now_stays_for_the_person_who_was_asked(tmp_path: Path) -> None:
    body = "".join(f"{name}\n" for name in sorted([*some(10), "github.io"])).encode()
    (tmp_path / "list").write_bytes(body)
    (held,) = write(tmp_path, order(some(2), authorised=frozenset({"n004.example.net"})))
    assert held.state.held
    assert (tmp_path / "list").read_bytes() == body


def test_a_file_edited_by_hand_stays_until_somebody_accepts_its_loss(tmp_path: Path) -> None:
    (first,) = write(tmp_path, order(some(2)))
    (tmp_path / "list").write_bytes(b"# mine\nn000.example.net\n")
    (held,) = write(tmp_path, order(some(2), previous=first.state))
    assert "cannot be read back" in held.state.held
    assert (tmp_path / "list").read_bytes().startswith(b"# mine")
    assert held.state.sha256 == first.state.sha256
    assert json.loads((tmp_path / "index.json").read_bytes())["lists"] == []
    (accepted,) = write(tmp_path, order(some(2), previous=held.state, accept_shrink=True), later=1)
    assert accepted.changed
    assert accepted.state.serial > first.state.serial
    assert (tmp_path / "list").read_bytes() == b"n000.example.net\nn001.example.net\n"


def test_another_format_under_the_same_name_needs_a_person(tmp_path: Path) -> None:
    write(tmp_path, order(some(2)))
    (held,) = write(tmp_path, order(some(2), RPZ))
    assert "of another format" in held.state.held


def test_a_file_that_is_gone_is_written_again_but_not_much_shorter(tmp_path: Path) -> None:
    (first,) = write(tmp_path, order(some(10)))
    (tmp_path / "list").unlink()
    (held,) = write(tmp_path, order(some(2), previous=first.state))
    assert held.state.held
    assert not (tmp_path / "list").exists()
    (whole,) = write(tmp_path, order(some(10), previous=held.state))
    assert whole.changed
    assert whole.state.held == ""


def test_names_that_may_not_leave_are_reported_and_stand_nowhere(tmp_path: Path) -> None:
    orders = [
        order([*HOSTILE, *some(2)], form, name=name)
        for name, form in {"plain": DOMAINS, "hosts": hosts.build(hosts.Options()), "zone": RPZ}.items()
    ]
    for written in write(tmp_path, *orders):
        assert written.state.count == 2
        assert sum(one.count for one in written.left_out) == len(HOSTILE)
    assert (tmp_path / "plain").read_bytes() == b"n000.example.net\nn001.example.net\n"
    assert (tmp_path / "hosts").read_bytes().endswith(b"0.0.0.0 n000.example.net\n0.0.0.0 n001.example.net\n")
    assert (tmp_path / "zone").read_bytes().count(b"\n") == 3 + 4


def test_a_name_too_long_for_a_zone_is_left_out_of_the_zone_alone(tmp_path: Path) -> None:
    long = ".".join(["a" * 60] * 3 + ["b" * 53, "net"])
    plain, zone = write(
        tmp_path, order([long, "a.example.net"]), order([long, "a.example.net"], RPZ, name="zone", format_name="rpz")
    )
    assert (plain.state.count, plain.left_out) == (2, ())
    assert zone.state.count == 1
    assert [(one.count, one.sample) for one in zone.left_out] == [(1, long[:200])]


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f".list{TEMPORARY}").write_bytes(b"half")
    (tmp_path / f".gone{TEMPORARY}").write_bytes(b"half")
    (tmp_path / "README.md").write_bytes(b"how to import")
    write(tmp_path, order(some(1)))
    assert set(look(tmp_path)) == {"list", "index.json", "README.md"}


def test_a_symbolic_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"n000.example.net\n")
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "list").symlink_to(outside)
    (folder / f".list{TEMPORARY}").symlink_to(outside)
    write(folder, order(some(2)))
    assert outside.read_bytes() == b"n000.example.net\n"
    assert not (folder / "list").is_symlink()


def test_one_list_that_cannot_be_written_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "stuck").mkdir()
    stuck, fine = write(tmp_path, order(some(1), name="stuck"), order(some(1), name="fine"))
    assert "was not written" in stuck.state.held
    assert fine.changed
    assert [line["name"] for line in _index(tmp_path)["lists"]] == ["fine"]


class FullDisk(Disk):
    """Has room for half of a list, and for the index."""

    def write(self, path: Path, file: File) -> None:
        """Writes a part and fails as a full disk does."""
        if "index" not in path.name:
            path.write_bytes(file.body[:5])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(path, file)


def test_a_full_disk_leaves_the_last_good_file_and_no_rest(tmp_path: Path) -> None:
    write(tmp_path, order(some(2)))
    before = look(tmp_path)
    (held,) = write(tmp_path, order(some(3)), disk=FullDisk())
    assert held.state.held == "it was not written: No space left on device; the file there is the last good one"
    assert held.state.count == 2
    assert look(tmp_path) == before
    (healed,) = write(tmp_path, order(some(3)), later=1)
    assert (healed.changed, healed.state.held) == (True, "")


def test_a_folder_that_cannot_be_made_is_a_publish_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PublishError, match="exports folder"):
        write(tmp_path / "file" / "exports", order(some(1)))


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../list", "index.json", "README.md", "a\nb", "/etc/passwd"]
)
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PublishError, match="not a name for a file"):
        write(tmp_path, order(some(1), name=name))
    assert look(tmp_path) == {}


def test_two_lists_cannot_share_a_file(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="twice"):
        write(tmp_path, order(some(1)), order(some(2)))


class Forgetful:
    """A format of a third party that loses the last name."""

    names = DOMAINS.names
    media_type = DOMAINS.media_type

    def render(self, listed: Iterable[ListedName], meta: ListMeta) -> Iterator[bytes]:
        """All but the last."""
        return DOMAINS.render(list(listed)[:-1], meta)

    read_back = staticmethod(DOMAINS.read_back)
    admits = staticmethod(DOMAINS.admits)


def test_a_format_that_does_not_read_back_what_it_was_given_never_reaches_the_file(tmp_path: Path) -> None:
    write(tmp_path, order(some(2)))
    before = look(tmp_path)
    (held,) = write(tmp_path, order(some(3), Forgetful()))
    assert "reads back other names" in held.state.held
    assert held.state.count == 2
    assert look(tmp_path) == before


class Unreadable(Forgetful):
    """A format of a third party that cannot read at all."""

    render = staticmethod(DOMAINS.render)

    def read_back(self, body: bytes) -> tuple[frozenset[str], int]:
        """Never works."""
        raise ValueError(f"{len(body)} bytes too many")


def test_a_format_that_cannot_read_at_all_never_reaches_the_folder(tmp_path: Path) -> None:
    (held,) = write(tmp_path, order(some(3), Unreadable()))
    assert "cannot read back what it wrote" in held.state.held
    assert held.state.serial == 0
    assert set(look(tmp_path)) == {"index.json"}


def _index(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "index.json").read_bytes())
    return found


def test_the_index_tells_of_every_list_as_it_stands(tmp_path: Path) -> None:
    write(tmp_path, order(some(2), name="b"), order(some(3), RPZ, name="a", format_name="rpz"))
    index = _index(tmp_path)
    assert index["public_suffix_list"].startswith("publicsuffixlist ")
    assert [(line["name"], line["format"], line["count"]) for line in index["lists"]] == [
        ("a", "rpz", 3),
        ("b", "domains", 2),
    ]
    for line in index["lists"]:
        body = (tmp_path / line["name"]).read_bytes()
        assert (line["size"], line["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
        assert (line["serial"], line["changed_at"]) == (SERIAL, "2026-11-24T06:52:32.000Z")


def test_writing_one_list_keeps_the_lines_of_the_others(tmp_path: Path) -> None:
    write(tmp_path, order(some(2), name="a"), order(some(2), name="b"), order(some(2), name="c"))
    write(tmp_path, order(some(3), name="a"), others={"b"}, later=4)
    assert [(line["name"], line["count"]) for line in _index(tmp_path)["lists"]] == [("a", 3), ("b", 2)]


def test_a_broken_index_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_bytes(b'{"lists": 7}')
    write(tmp_path, order(some(2)), others={"b"})
    assert [line["name"] for line in _index(tmp_path)["lists"]] == ["list"]


@given(st.lists(st.frozensets(publishable_names, max_size=8), min_size=1, max_size=5))
def test_every_accepted_change_is_on_the_file_and_every_serial_is_higher(
    tmp_path_factory: pytest.TempPathFactory, sets: list[frozenset[str]]
) -> None:
    folder = tmp_path_factory.mktemp("exports")
    serial = 0
    before: frozenset[str] | None = None
    for names in sets:
        (written,) = write(folder, order(names, accept_shrink=True))
        assert DOMAINS.read_back((folder / "list").read_bytes())[0] == names
        assert written.changed is (names != before)
        assert written.state.serial == serial if names == before else written.state.serial > serial
        serial, before = written.state.serial, names
