"""Block list files over HTTP: who gets which, whole, and only when it changed."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedsvc.config import ExportSettings
from feedsvc.history import open_history
from feedsvc.model import Partner, Tlp
from feedsvc.publish import index, release
from feedsvc.publish.index import IndexLine
from feedsvc.web.access import Access
from feedsvc.web.exports import ExportsApp, ServedList
from tests.web.asking import Reply, ask

OPEN = ServedList(ExportSettings("domains.txt", "domains", public=True))
CLOSED = ServedList(ExportSettings("closed.rpz", "rpz"), "text/dns")
FOR_AMBER = ServedList(ExportSettings("amber.txt", "domains", max_tlp=Tlp.AMBER))
LISTS = (OPEN, CLOSED, FOR_AMBER)

READER = Partner("reader", (), Tlp.GREEN, ("closed.rpz", "amber.txt"))
STRANGER = Partner("stranger", (), Tlp.RED)
CHANGED = 1_795_503_152  # Tue, 24 Nov 2026 06:52:32 GMT


def token(partner: Partner) -> dict[str, str]:
    return {"authorization": f"Bearer token-of-{partner.name}"}


def publish(folder: Path, name: str, body: bytes, changed: int = CHANGED) -> None:
    """As the list writer does it: a new file, renamed over the old one."""
    fresh = folder / f".{name}.new"
    fresh.write_bytes(body)
    os.utime(fresh, (changed, changed))
    fresh.replace(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    exports = tmp_path / "exports"
    exports.mkdir()
    for served in LISTS:
        publish(exports, served.settings.name, f"# {served.settings.name}\nk3xq.example.net\n".encode())
    lines = [
        IndexLine(served.settings.name, served.settings.format, served.media_type, 1, 30, "0" * 64, CHANGED,
                  datetime.fromtimestamp(CHANGED, UTC))
        for served in LISTS
    ]  # fmt: skip
    publish(exports, index.NAME, index.render("psl of the tests", lines))
    return exports


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "feedsvc.db"
    with closing(open_history(state)) as history, history.transaction():
        for partner in (READER, STRANGER):
            history.partners.add(partner, release.digest(f"token-of-{partner.name}"))
    return state


@pytest.fixture
def app(folder: Path, state: Path) -> Iterator[ExportsApp]:
    with closing(Access(state)) as access:
        yield ExportsApp(folder=folder, lists=LISTS, access=access)


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()}"'


# -- what is sent ------------------------------------------------------------------------------------------------------


def test_a_public_list_is_served_to_anybody_with_all_that_a_cache_needs(app: ExportsApp) -> None:
    reply = ask(app, "/exports/domains.txt")
    assert reply.status == 200
    assert reply.body == b"# domains.txt\nk3xq.example.net\n"
    assert dict(reply.headers) == {
        "content-type": "text/plain; charset=utf-8",
        "content-length": str(len(reply.body)),
        "etag": etag_of(reply.body),
        "last-modified": "Tue, 24 Nov 2026 06:52:32 GMT",
        "cache-control": "no-cache",
        "vary": "authorization",
        "x-content-type-options": "nosniff",
    }


def test_a_list_has_the_media_type_of_its_format(app: ExportsApp) -> None:
    assert ask(app, "/exports/closed.rpz", headers=token(READER)).headers["content-type"] == "text/dns"


def test_head_is_get_without_a_body(app: ExportsApp) -> None:
    whole, head = (ask(app, "/exports/domains.txt", method=method) for method in ("GET", "HEAD"))
    assert head == Reply(200, whole.headers, b"")


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000])
def test_a_list_of_any_size_is_sent_whole(app: ExportsApp, folder: Path, size: int) -> None:
    body = (b"0123456789abcde\n" * (size // 16 + 1))[:size]
    publish(folder, "domains.txt", body)
    reply = ask(app, "/exports/domains.txt")
    assert reply.body == body
    assert reply.headers["etag"] == etag_of(body)
    assert reply.headers["content-length"] == str(size)


def test_a_list_that_is_renamed_over_while_it_is_sent_stays_one_version(app: ExportsApp, folder: Path) -> None:
    old, new = b"old.example.net\n" * 100_000, b"new.example.net\n" * 100_000
    publish(folder, "domains.txt", old)
    reply = ask(app, "/exports/domains.txt", after_start=lambda: publish(folder, "domains.txt", new, CHANGED + 1))
    assert reply.body == old
    assert reply.headers["etag"] == etag_of(old)
    following = ask(app, "/exports/domains.txt")
    assert following.body == new
    assert following.headers["etag"] == etag_of(new)


def test_a_list_of_the_same_size_and_time_is_told_from_the_one_before(app: ExportsApp, folder: Path) -> None:
    before = ask(app, "/exports/domains.txt")
    publish(folder, "domains.txt", before.body.replace(b"k3xq", b"z9aa"))
    after = ask(app, "/exports/domains.txt", headers={"if-none-match": before.headers["etag"]})
    assert after.status == 200
    assert b"z9aa" in after.body


# -- 304 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ["if-none-match", "if-modified-since"])
def test_a_reader_that_has_it_gets_304_with_the_same_tag(app: ExportsApp, method: str, name: str) -> None:
    first = ask(app, "/exports/domains.txt")
    value = first.headers["etag" if name == "if-none-match" else "last-modified"]
    reply = ask(app, "/exports/domains.txt", method=method, headers={name: value})
    assert reply.status == 304
    assert reply.body == b""
    assert {name: reply.headers[name] for name in ("etag", "last-modified", "cache-control", "vary")} == {
        name: first.headers[name] for name in ("etag", "last-modified", "cache-control", "vary")
    }
    assert "content-type" not in reply.headers


def test_a_reader_without_rights_learns_nothing_by_conditions(app: ExportsApp) -> None:
    assert ask(app, "/exports/closed.rpz", headers={"if-none-match": "*"}).status == 401


# -- who gets what -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "headers", "status"),
    [
        ("domains.txt", {}, 200),
        ("domains.txt", token(READER), 200),
        ("domains.txt", {"authorization": "Bearer wrong"}, 200),
        ("closed.rpz", {}, 401),
        ("closed.rpz", {"authorization": "Bearer wrong"}, 401),
        ("closed.rpz", token(STRANGER), 404),
        ("closed.rpz", token(READER), 200),
        ("closed.rpz", {"authorization": "Token token-of-reader"}, 200),
        ("closed.rpz", {"authorization": "Basic " + base64.b64encode(b"reader:token-of-reader").decode()}, 200),
        ("closed.rpz", {"authorization": "Basic " + base64.b64encode(b"stranger:token-of-reader").decode()}, 401),
        ("amber.txt", token(READER), 404),  # given to it, but marked higher than it is cleared for
        ("no-such.txt", {}, 404),
        ("no-such.txt", token(READER), 404),
    ],
)
def test_a_list_is_for_those_it_was_given_to(app: ExportsApp, name: str, headers: dict[str, str], status: int) -> None:
    reply = ask(app, f"/exports/{name}", headers=headers)
    assert reply.status == status
    assert ("www-authenticate" in reply.headers) is (status == 401)
    if status == 200:
        assert reply.headers["cache-control"] == ("no-cache" if name == "domains.txt" else "private, no-cache")
    else:
        assert name.encode() not in reply.body


def test_a_list_of_others_looks_like_none(app: ExportsApp) -> None:
    assert ask(app, "/exports/closed.rpz", headers=token(STRANGER)) == ask(app, "/exports/none", headers=token(STRANGER))


@pytest.mark.parametrize(
    "path",
    [
        "/exports",
        "/exports/",
        "/exports//domains.txt",
        "/exports/domains.txt/",
        "/exports/./domains.txt",
        "/exports/../feedsvc.db",
        "/exports/..",
        "/exports/.domains.txt.new",
        "/exports/domains.txt\x00",
        "/exports/README.md",
        "/exports/DOMAINS.TXT",
        "/exports//etc/passwd",
    ],
)
def test_no_path_leads_anywhere_but_to_a_configured_name(app: ExportsApp, folder: Path, path: str) -> None:
    (folder / "README.md").write_text("how to import", encoding="ascii")
    assert ask(app, path).status == 404


@pytest.mark.parametrize("kind", ["missing", "folder", "link", "pipe"])
def test_what_is_no_regular_file_is_not_served(app: ExportsApp, folder: Path, tmp_path: Path, kind: str) -> None:
    place = folder / "domains.txt"
    place.unlink()
    if kind == "folder":
        place.mkdir()
    elif kind == "link":
        (tmp_path / "secret").write_text("secret", encoding="ascii")
        place.symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(place)
    assert ask(app, "/exports/domains.txt").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_lists_can_be_read_and_nothing_else(app: ExportsApp, method: str) -> None:
    reply = ask(app, "/exports/domains.txt", method=method)
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD"


# -- the index ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        ({}, ["domains.txt"]),
        (token(STRANGER), ["domains.txt"]),
        (token(READER), ["closed.rpz", "domains.txt"]),
    ],
)
def test_the_index_names_what_this_reader_may_fetch(app: ExportsApp, headers: dict[str, str], names: list[str]) -> None:
    reply = ask(app, "/exports/index.json", headers=headers)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "private, no-cache"
    assert [line["name"] for line in reply.json["lists"]] == names
    assert reply.headers["etag"] == etag_of(reply.body)
    again = ask(app, "/exports/index.json", headers={"if-none-match": reply.headers["etag"], **headers})
    assert again.status == 304


def test_a_wrong_token_gets_no_index_rather_than_a_shorter_one(app: ExportsApp) -> None:
    assert ask(app, "/exports/index.json", headers={"authorization": "Bearer wrong"}).status == 401


def test_a_list_that_is_no_longer_configured_is_in_no_index(folder: Path, state: Path) -> None:
    with closing(Access(state)) as access:
        app = ExportsApp(folder=folder, lists=(CLOSED,), access=access)
        assert ask(app, "/exports/index.json").json["lists"] == []


def test_an_index_that_was_never_written_is_not_found_and_a_broken_one_unavailable(app: ExportsApp, folder: Path) -> None:
    publish(folder, index.NAME, b"{")
    assert ask(app, "/exports/index.json").status == 503
    (folder / index.NAME).unlink()
    assert ask(app, "/exports/index.json").status == 404


# -- around it ---------------------------------------------------------------------------------------------------------


def test_a_fetch_is_noted_for_the_partner_and_for_nobody_else(app: ExportsApp, state: Path, folder: Path) -> None:
    with closing(Access(state, now=lambda: datetime(2026, 11, 24, 12, tzinfo=UTC))) as access:
        app = ExportsApp(folder=folder, lists=LISTS, access=access)
        ask(app, "/exports/closed.rpz", headers=token(READER))
        ask(app, "/exports/domains.txt")
        ask(app, "/exports/closed.rpz", headers=token(STRANGER))
    with closing(open_history(state, read_only=True)) as history:
        assert {partner.name: partner.last_fetch for partner in history.partners.all()} == {
            "reader": datetime(2026, 11, 24, 12, tzinfo=UTC),
            "stranger": None,
        }


def test_without_a_state_a_partner_is_asked_to_come_back_and_public_lists_are_served(folder: Path, tmp_path: Path) -> None:
    with closing(Access(tmp_path / "none.db")) as access:
        app = ExportsApp(folder=folder, lists=LISTS, access=access)
        assert ask(app, "/exports/domains.txt").status == 200
        reply = ask(app, "/exports/closed.rpz", headers=token(READER))
        assert reply.status == 503
        assert "retry-after" in reply.headers
        assert b"none.db" not in reply.body
