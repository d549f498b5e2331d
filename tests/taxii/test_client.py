"""taxii2-client 2.3.0, a client that others wrote, reads the feed over HTTP."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from taxii2client.common import TokenAuth
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from feedsvc import model
from feedsvc.config import Http
from feedsvc.history import open_history
from feedsvc.model import Tlp
from feedsvc.web import serving
from feedsvc.web.serving import HttpServer, Target
from tests.taxii.house import AMBER, BOTH, CALLBACKS, GREEN, NOW, OTHER, SPARE, House, bearer, indicator, opened, token_of

PAGE_LIMIT = 25


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("client") / "feedsvc.db"


@pytest.fixture(scope="module")
def house(state: Path) -> Iterator[House]:
    with opened(state) as house:
        house.publish(indicator(1), indicator(2))
        yield house


def target(state: Path) -> Target:
    return Target("tests.taxii.apps:serve", (str(state), str(PAGE_LIMIT)))


@pytest.fixture(scope="module")
def server(house: House, state: Path) -> Iterator[HttpServer]:
    del house  # it has made the state
    with serving.start(Http(port=0), target(state)) as server:
        yield server


@pytest.fixture(scope="module")
def spare() -> Iterator[model.Collection]:
    return iter(SPARE)


@pytest.fixture
def fresh(spare: Iterator[model.Collection]) -> model.Collection:
    """A collection that nothing is in."""
    return next(spare)


def remote_of(server: HttpServer, collection: model.Collection, partner: model.Partner = AMBER) -> Collection:
    url = f"{server.url}/taxii2/feeds/collections/{collection.id}"
    return Collection(url, user=partner.name, password=token_of(partner))


def ids(pages: Iterator[dict[str, list[dict[str, str]]]]) -> list[str]:
    return [one["id"] for page in pages for one in page.get("objects", [])]


def test_it_walks_from_discovery_to_objects(server: HttpServer) -> None:
    with Server(f"{server.url}/taxii2/", user="both", password=token_of(BOTH)) as remote:
        assert remote.title == "Example CERT"
        assert remote.contact == "cert@example.org"
        root = remote.default
        assert remote.api_roots == [root]
        assert root.title == "Feeds of Example CERT"
        assert root.versions == ["application/taxii+json;version=2.1"]
        found = {one.alias: one for one in root.collections}
        assert set(found) == {"callbacks", "other"}
        assert found["callbacks"].id == CALLBACKS.id
        assert found["callbacks"].can_read is True
        assert found["callbacks"].can_write is False
        assert [one["id"] for one in found["callbacks"].get_objects()["objects"]] == [indicator(1).id, indicator(2).id]
        assert found["other"].get_objects() == {}
        root.close()


def test_it_finds_a_collection_by_id_and_its_objects_with_their_versions(server: HttpServer) -> None:
    with remote_of(server, CALLBACKS) as remote:
        assert remote.title == CALLBACKS.title
        assert remote.get_object(indicator(1).id)["objects"][0]["id"] == indicator(1).id
        assert remote.object_versions(indicator(1).id) == {"versions": [indicator(1).version]}


def test_a_collection_is_found_by_alias_over_http_too(server: HttpServer) -> None:
    # By hand: taxii2-client wants the id in the address.
    by_id, by_alias = (
        requests.get(f"{server.url}/taxii2/feeds/collections/{name}/objects/", headers=bearer(AMBER), timeout=30)
        for name in (CALLBACKS.id, CALLBACKS.alias)
    )
    assert by_alias.content == by_id.content
    assert by_alias.json()["objects"][0]["id"] == indicator(1).id


@pytest.mark.parametrize("per_request", [0, 1, 2, 7, 1000])
def test_it_pages_through_objects_and_manifest_and_gets_each_once(
    house: House, server: HttpServer, fresh: model.Collection, per_request: int
) -> None:
    published = [indicator(number) for number in range(60)]
    house.publish(*published, collection=fresh)
    with remote_of(server, fresh) as remote:
        for method in (remote.get_objects, remote.get_manifest):
            assert ids(as_pages(method, per_request=per_request)) == [one.id for one in published]
            assert ids(as_pages(method, per_request=per_request, type="malware")) == []


def test_it_gets_each_version_once_by_polling_while_objects_are_added(
    house: House, server: HttpServer, fresh: model.Collection
) -> None:
    expected: list[tuple[str, str]] = []
    seen: list[tuple[str, str]] = []
    after: str | None = None
    with remote_of(server, fresh) as remote:
        for turn, version in itertools.product(range(4), ("2026-11-24T12:00:00.000Z", "2026-11-24T13:00:00.000Z")):
            added = [indicator(turn * 10 + number, version=version) for number in range(9)]
            house.publish(*added, collection=fresh)
            expected += [(one.id, one.version) for one in added]
            for page in as_pages(remote.get_manifest, per_request=4, added_after=after):
                seen += [(record["id"], record["version"]) for record in page.get("objects", [])]
                after = page["objects"][-1]["date_added"] if page.get("objects") else after
    assert seen == expected


@pytest.mark.parametrize("follows_next", [False, True], ids=["by date alone", "by next, then by date"])
def test_it_gets_each_version_once_while_another_thread_publishes(
    server: HttpServer, state: Path, fresh: model.Collection, follows_next: bool
) -> None:
    versions = ("2026-11-24T12:00:00.000Z", "2026-11-24T13:00:00.000Z")
    expected = [indicator(number, version=version) for version in versions for number in range(100)]

    def publish_all() -> None:
        with closing(open_history(state)) as history:
            for place in range(0, len(expected), 8):
                with history.transaction():
                    history.feed.add(fresh, expected[place : place + 8], NOW)

    publisher = threading.Thread(target=publish_all)
    publisher.start()
    seen: list[tuple[str, str]] = []
    after: str | None = None
    with remote_of(server, fresh) as remote:
        is_last = False
        while not is_last:
            is_last = not publisher.is_alive()  # looked at before the poll: nothing comes after a last one
            more = True
            pages = as_pages(remote.get_manifest, per_request=5, added_after=after, version="all")
            for page in pages if follows_next else [next(pages)]:
                records = page.get("objects", [])
                seen += [(record["id"], record["version"]) for record in records]
                after = records[-1]["date_added"] if records else after
                more = page.get("more", False)
            is_last = is_last and not more
    publisher.join()
    assert seen == [(one.id, one.version) for one in expected]


def test_it_filters_as_it_writes_filters(house: House, server: HttpServer, fresh: model.Collection) -> None:
    malware = indicator(2, kind="malware")
    house.publish(indicator(1), malware, indicator(1, version="2026-11-24T12:00:00.120Z"), collection=fresh)
    with remote_of(server, fresh) as remote:
        assert len(remote.get_manifest(type=["indicator", "malware"], version=["first", "last"])["objects"]) == 3
        assert [one["type"] for one in remote.get_objects(id=malware.id)["objects"]] == ["malware"]
        # It drops final zeros from the times it writes.
        found = remote.get_object(indicator(1).id, version="2026-11-24T12:00:00.12Z")["objects"]
        assert [one["modified"] for one in found] == ["2026-11-24T12:00:00.120Z"]


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@pytest.mark.parametrize(
    "credentials",
    [
        {"user": "both", "password": token_of(BOTH)},
        {"auth": TokenAuth(token_of(BOTH))},
        {"auth": _Bearer(token_of(BOTH))},
    ],
    ids=["Basic", "Token", "Bearer"],
)
def test_each_way_to_send_the_token_is_taken(server: HttpServer, credentials: dict[str, str]) -> None:
    with ApiRoot(f"{server.url}/taxii2/feeds/", **credentials) as root:
        assert [one.alias for one in root.collections] == ["other", "callbacks"]
        assert root.collections[1].get_objects()["objects"]


def test_a_wrong_token_is_401_with_both_challenges(server: HttpServer) -> None:
    url = f"{server.url}/taxii2/feeds/collections/{CALLBACKS.id}"
    with Collection(url, user="amber", password=token_of(GREEN)) as remote:
        with pytest.raises(requests.HTTPError, match="401") as caught:
            remote.get_objects()
        assert caught.value.response is not None
        challenges = caught.value.response.headers["www-authenticate"]
    assert challenges == 'Basic realm="feedsvc", charset="UTF-8", Bearer realm="feedsvc"'


def test_what_a_partner_may_not_see_is_not_there(house: House, server: HttpServer, fresh: model.Collection) -> None:
    secret, known = indicator(901, tlp=Tlp.AMBER), indicator(902)
    house.publish(secret, known, collection=fresh)
    with remote_of(server, fresh, GREEN) as remote:
        assert ids(as_pages(remote.get_objects, per_request=1)) == [known.id]
        with pytest.raises(requests.HTTPError, match="404"):
            remote.get_object(secret.id)
    with remote_of(server, OTHER, GREEN) as remote, pytest.raises(requests.HTTPError, match="404"):
        remote.get_objects()


def test_head_has_the_length_and_no_body(server: HttpServer) -> None:
    url = f"{server.url}/taxii2/feeds/collections/callbacks/objects/"
    head, whole = (requests.request(method, url, headers=bearer(AMBER), timeout=30) for method in ("HEAD", "GET"))
    assert head.content == b""
    assert head.headers["content-length"] == whole.headers["content-length"] == str(len(whole.content))


def test_when_a_partner_fetched_last_is_kept_by_the_time_the_server_has_ended(tmp_path: Path) -> None:
    state = tmp_path / "feedsvc.db"
    with opened(state) as house, serving.start(Http(port=0), target(state)) as server:
        with remote_of(server, CALLBACKS) as remote:
            assert remote.get_objects() == {}
        assert server.stop() == 0
        fetched = {partner.name: partner.last_fetch for partner in house.history.partners.all()}
    assert fetched["amber"] is not None
    assert fetched["green"] is None
