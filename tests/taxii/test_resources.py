"""What every request meets: who may ask, for what, by which method, in which media type. Named by sections of TAXII 2.1."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from feedsvc.config import Http, Producer
from feedsvc.taxii.app import TaxiiApp
from feedsvc.web.access import Access
from tests.taxii.house import (
    ACCEPT,
    AMBER,
    BOTH,
    CALLBACKS,
    ELSEWHERE,
    GREEN,
    NOBODY,
    OTHER,
    PRODUCER,
    House,
    ask,
    basic,
    bearer,
    indicator,
    opened,
    token_of,
)

ROOT = "/taxii2/feeds"
INSIDE = f"{ROOT}/collections/{CALLBACKS.alias}"
KNOWN = indicator(1)
UNKNOWN = "5f0c9b1e-3f2d-4c64-9a55-1d2d0a6f7a10"  # the same in every process that collects the tests
READABLE = [
    "/taxii2/",
    f"{ROOT}/",
    f"{ROOT}/collections/",
    f"{INSIDE}/",
    f"{INSIDE}/manifest/",
    f"{INSIDE}/objects/",
    f"{INSIDE}/objects/{KNOWN.id}/",
    f"{INSIDE}/objects/{KNOWN.id}/versions/",
]

ALLOWED = dict.fromkeys(READABLE, "GET, HEAD") | {
    f"{INSIDE}/objects/": "GET, HEAD, POST",
    f"{INSIDE}/objects/{KNOWN.id}/": "GET, HEAD, DELETE",
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One object is published; nothing here can change anything."""
    with opened(tmp_path_factory.mktemp("resources") / "feedsvc.db") as house:
        house.publish(KNOWN)
        yield house


# -- §1.6.8 media types ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", READABLE)
def test_1_6_8_every_answer_is_taxii_2_1_with_its_length(house: House, path: str) -> None:
    reply = house.ask(path)
    assert reply.status == 200
    assert reply.one("content-type") == "application/taxii+json;version=2.1"
    assert reply.one("content-length") == str(len(reply.body))


@pytest.mark.parametrize("path", READABLE)
@pytest.mark.parametrize("accept", ["application/json", "application/taxii+json;version=2.0", "text/html;q=0.5"])
def test_1_6_8_a_client_that_does_not_take_it_gets_406(house: House, path: str, accept: str) -> None:
    assert house.ask(path, accept=accept).status == 406


@pytest.mark.parametrize("accept", [None, "*/*", "application/taxii+json", f"text/html, {ACCEPT};q=0.1"])
def test_1_6_8_a_client_that_takes_it_among_others_is_answered(house: House, accept: str | None) -> None:
    assert house.ask(f"{INSIDE}/objects/", accept=accept).ids == [KNOWN.id]


def test_1_6_8_several_accept_headers_are_one_list(house: House) -> None:
    scope_headers = {"accept": "text/html", "Accept": ACCEPT} | bearer(AMBER)
    assert house.ask("/taxii2/", headers=scope_headers, accept=None).status == 200


@pytest.mark.parametrize(
    ("status", "path", "query", "method", "accept", "authorized"),
    [
        (400, f"{INSIDE}/objects/", "limit=0", "GET", ACCEPT, True),
        (401, "/taxii2/", "", "GET", ACCEPT, False),
        (403, f"{INSIDE}/objects/", "", "POST", ACCEPT, True),
        (404, f"{INSIDE}/nothing/", "", "GET", ACCEPT, True),
        (405, "/taxii2/", "", "PUT", ACCEPT, True),
        (406, "/taxii2/", "", "GET", "text/html", True),
    ],
)
def test_3_6_1_an_error_has_a_title_and_its_status_as_text(
    house: House, status: int, path: str, query: str, method: str, accept: str, authorized: bool
) -> None:
    reply = house.ask(path, query, by=AMBER if authorized else None, method=method, accept=accept)
    assert reply.status == status
    assert reply.one("content-type") == "application/taxii+json;version=2.1"
    assert reply.json["title"]
    assert reply.json["http_status"] == str(status)
    assert set(reply.json) <= {"title", "description", "http_status"}


# -- §1.6.9 and §8.2.2 who asks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*READABLE, f"{ROOT}/status/{UNKNOWN}/", "/taxii2/nothing/", f"{ROOT}/collections/no/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PUT"])
def test_1_6_9_nothing_is_told_without_credentials(house: House, path: str, method: str) -> None:
    reply = house.ask(path, by=None, method=method)
    assert reply.status == 401
    assert [challenge.split(" ")[0] for challenge in reply.all("www-authenticate")] == ["Basic", "Bearer"]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {token_of(AMBER)}"},
        {"authorization": f"bearer  {token_of(AMBER)} "},
        {"authorization": f"Token {token_of(AMBER)}"},
        basic("amber", token_of(AMBER)),
    ],
)
def test_1_6_9_basic_bearer_and_token_are_taken(house: House, headers: dict[str, str]) -> None:
    assert house.ask("/taxii2/", by=None, headers=headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Digest {token_of(AMBER)}"},
        {"authorization": token_of(AMBER)},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic \xff"},
        {"authorization": f"Bearer {token_of(AMBER)}\x00"},
        basic("green", token_of(AMBER)),
        basic("", token_of(AMBER)),
        basic("amber", ""),
        basic("amber", "wrong"),
    ],
)
def test_1_6_9_any_other_credentials_are_refused(house: House, headers: dict[str, str]) -> None:
    assert house.ask("/taxii2/", by=None, headers=headers).status == 401


# -- §4.1, §4.2, §5.1, §5.2 --------------------------------------------------------------------------------------------


def test_4_1_discovery_names_one_api_root_by_its_path(house: House) -> None:
    assert house.ask("/taxii2/").json == {
        "title": "Example CERT",
        "contact": "cert@example.org",
        "default": "/taxii2/feeds/",
        "api_roots": ["/taxii2/feeds/"],
    }


@pytest.mark.parametrize(
    ("public_url", "root"),
    [
        ("https://feeds.example.org", "/taxii2/feeds/"),
        ("https://example.org/feeds/", "/feeds/taxii2/feeds/"),
        ("http://example.org/feeds", "/feeds/taxii2/feeds/"),
    ],
)
def test_4_1_behind_a_path_of_a_proxy_the_api_root_has_it_too(
    house: House, monkeypatch: pytest.MonkeyPatch, public_url: str, root: str
) -> None:
    monkeypatch.setattr(house, "public_url", public_url)
    said = house.ask("/taxii2/").json
    assert said["default"] == root
    assert said["api_roots"] == [root]


def test_4_1_a_producer_without_a_contact_gives_none(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "producer", Producer("Somebody"))
    assert "contact" not in house.ask("/taxii2/").json


def test_4_2_the_api_root_speaks_2_1_alone(house: House) -> None:
    said = house.ask(f"{ROOT}/").json
    assert said["title"] == "Feeds of Example CERT"
    assert said["versions"] == ["application/taxii+json;version=2.1"]
    assert isinstance(said["max_content_length"], int)
    assert said["max_content_length"] > 0


def test_5_1_a_partner_sees_its_collections_alone_always_in_one_order(house: House) -> None:
    def listed(name: str) -> list[str]:
        partner = {"both": BOTH, "green": GREEN, "elsewhere": ELSEWHERE}[name]
        return [one["alias"] for one in house.ask(f"{ROOT}/collections/", by=partner).json["collections"]]

    assert listed("both") == ["other", "callbacks"]
    assert listed("green") == ["callbacks"]
    assert listed("elsewhere") == ["other"]


def test_5_1_no_collection_at_all_is_an_empty_answer_without_a_list(house: House) -> None:
    assert house.ask(f"{ROOT}/collections/", by=NOBODY).body == b"{}"


@pytest.mark.parametrize("name", [CALLBACKS.id, CALLBACKS.alias])
def test_5_2_a_collection_is_found_by_id_and_by_alias(house: House, name: str) -> None:
    said = house.ask(f"{ROOT}/collections/{name}/").json
    assert said == {
        "id": CALLBACKS.id,
        "alias": "callbacks",
        "title": "Callback domains",
        "can_read": True,
        "can_write": False,
        "media_types": ["application/stix+json;version=2.1"],
    }
    assert uuid.UUID(said["id"]).version == 4
    assert said in house.ask(f"{ROOT}/collections/").json["collections"]


def test_5_2_a_description_is_told_and_a_missing_title_made_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    described = replace(CALLBACKS, title="", description="What we found")
    monkeypatch.setattr(house, "collections", (described,))
    said = house.ask(f"{INSIDE}/").json
    assert said["title"] == "callbacks"
    assert said["description"] == "What we found"


def test_5_2_rows_are_the_same_by_id_and_by_alias(house: House) -> None:
    by_id, by_alias = (house.ask(f"{ROOT}/collections/{name}/objects/") for name in (CALLBACKS.id, CALLBACKS.alias))
    assert by_id == by_alias


@pytest.mark.parametrize("inside", ["", "objects/", "manifest/", f"objects/{KNOWN.id}/", f"objects/{KNOWN.id}/versions/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
def test_5_x_a_collection_of_others_looks_like_none(house: House, inside: str, method: str) -> None:
    replies = [
        house.ask(f"{ROOT}/collections/{name}/{inside}", by=GREEN, method=method)
        for name in (OTHER.id, OTHER.alias, str(uuid.uuid4()), "no-such", "..", "%2e%2e")
    ]
    assert replies[0].status == 404
    assert set(replies) == {replies[0]}


# -- methods and paths -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", READABLE)
def test_head_is_get_without_a_body(house: House, path: str) -> None:
    whole, head = house.ask(path), house.ask(path, method="HEAD")
    assert head.headers == whole.headers
    assert head.status == 200
    assert head.body == b""


@pytest.mark.parametrize("path", READABLE)
def test_a_path_without_its_last_slash_is_the_same(house: House, path: str) -> None:
    assert house.ask(path.removesuffix("/")) == house.ask(path)


@pytest.mark.parametrize(
    "path",
    [
        "/taxii2//",
        "/taxii2/feeds//",
        "/taxii2/nothing/",
        f"{ROOT}/collections//",
        f"{ROOT}/collections/{CALLBACKS.alias}//",
        f"{INSIDE}/objects//",
        f"{INSIDE}/objects/{KNOWN.id}/versions/more/",
        f"{INSIDE}/objects/{KNOWN.id}/more/",
        f"{INSIDE}/manifest/more/",
        f"{INSIDE}/../{CALLBACKS.alias}/",
        f"{ROOT}/status/",
        f"{ROOT}/status/{UNKNOWN}/",
        "/taxii2/FEEDS/",
    ],
)
def test_any_other_path_is_not_found(house: House, path: str) -> None:
    assert house.ask(path).status == 404


def test_5_5_nothing_can_be_added(house: House) -> None:
    assert house.ask(f"{INSIDE}/objects/", method="POST").status == 403


@pytest.mark.parametrize("object_id", [KNOWN.id, f"indicator--{UNKNOWN}"])
def test_5_7_nothing_can_be_deleted(house: House, object_id: str) -> None:
    assert house.ask(f"{INSIDE}/objects/{object_id}/", method="DELETE").status == 403
    assert house.rows("objects").ids == [KNOWN.id]


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (path, method)
        for path, allowed in ALLOWED.items()
        for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "POST", "DELETE", "get")
        if method not in allowed.split(", ")
    ],
)
def test_any_other_method_gets_405_and_those_that_are_allowed(house: House, path: str, method: str) -> None:
    reply = house.ask(path, method=method)
    assert reply.status == 405
    assert reply.one("allow") == ALLOWED[path]


# -- what the log has --------------------------------------------------------------------------------------------------


def test_a_refusal_is_logged_with_its_partner_and_reason_and_without_what_was_sent(house: House) -> None:
    with capture_logs() as logs:
        house.ask(f"{INSIDE}/objects/", "limit=0&colour=secret", by=GREEN)
        house.ask(f"{INSIDE}/objects/", by=GREEN)
        house.ask(f"{INSIDE}/objects/", by=None)
    assert logs == [
        {
            "event": "taxii.refused",
            "log_level": "info",
            "partner": "green",
            "status": 400,
            "reason": "limit takes a whole number above 0",
        }
    ]


def test_a_state_that_cannot_be_read_is_503_and_its_reason_for_the_log_alone(tmp_path: Path) -> None:
    with closing(Access(tmp_path / "none.db")) as access:
        app = TaxiiApp(access=access, collections=(), producer=PRODUCER, http=Http(), key=b"k" * 32)
        with capture_logs() as logs:
            reply = ask(app, "/taxii2/", "", method="GET", headers=bearer(AMBER))
    assert reply.status == 503
    assert reply.one("content-type") == "application/taxii+json;version=2.1"
    assert reply.one("retry-after") == "10"
    assert "none.db" not in reply.body.decode()
    assert [line["event"] for line in logs] == ["taxii.state_unreadable"]
