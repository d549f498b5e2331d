"""All faces joined over a real state: health, readiness, metrics, and the way to the others."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from feedsvc.config import SourceSettings
from feedsvc.history import open_history
from feedsvc.history.port import History
from feedsvc.model import (
    Change,
    ExportState,
    Outcome,
    Partner,
    Refused,
    SourceOutcome,
    Status,
    Tlp,
)
from feedsvc.web.access import Access
from feedsvc.web.app import build_app
from feedsvc.web.asgi import Message, Receive, Scope, Send, answer
from feedsvc.web.exports import ExportsApp
from feedsvc.web.front import Front, Mount
from feedsvc.web.metrics import Told
from tests import making
from tests.web.asking import Reply, ask

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOURCES = (
    SourceSettings("circl", "pdns", every=timedelta(hours=1)),
    SourceSettings("never-asked", "log", every=timedelta(minutes=5)),
)


async def taxii(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 200, [], b"taxii " + scope["path"].encode())


def app_over(access: Access, folder: Path) -> Front:
    lists = ExportsApp(folder=folder, lists=(), access=access)
    return build_app(access=access, taxii=Mount("/taxii2", taxii), lists=lists, told=Told(SOURCES))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(open_history(tmp_path / "feedsvc.db")) as history:
        yield history


@pytest.fixture
def app(history: History, tmp_path: Path) -> Iterator[Front]:
    del history  # it has made the state
    with closing(Access(tmp_path / "feedsvc.db")) as access:
        yield app_over(access, tmp_path)


@pytest.fixture
def stateless(tmp_path: Path) -> Iterator[Front]:
    with closing(Access(tmp_path / "none.db")) as access:
        yield app_over(access, tmp_path)


def test_each_face_is_reached(app: Front) -> None:
    assert ask(app, "/taxii2/feeds/").body == b"taxii /taxii2/feeds/"
    assert ask(app, "/exports/none").body == b"not found\n"
    assert ask(app, "/healthz").json == {"status": "ok"}


@pytest.mark.parametrize("path", ["/", "/nothing", "/healthz/more", "/metricsx", "/api/v1/"])
def test_any_other_path_is_not_found(app: Front, path: str) -> None:
    assert ask(app, path).status == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nothing_there_can_be_changed(app: Front, path: str) -> None:
    assert ask(app, path, method="POST").status == 405


def test_it_is_ready_while_the_state_can_be_read(app: Front, stateless: Front) -> None:
    assert ask(app, "/readyz").status == 200
    assert ask(app, "/readyz").json == {"status": "ready"}
    unready = ask(stateless, "/readyz")
    assert unready.status == 503
    assert "none.db" not in unready.body.decode()
    assert ask(stateless, "/healthz").status == 200
    assert ask(stateless, "/metrics").status == 503


def test_an_error_that_nobody_expected_is_500_and_silent(history: History, tmp_path: Path) -> None:
    del history
    access = Access(tmp_path / "feedsvc.db")
    opened, asked = threading.Event(), threading.Event()

    def hold() -> None:
        access.history.exports.all()
        opened.set()
        asked.wait()
        access.close()

    # Opened in a thread that it is not used in: no fault of the state, but of our own program.
    holder = threading.Thread(target=hold)
    holder.start()
    opened.wait()
    with capture_logs() as logs:
        reply = ask(app_over(access, tmp_path), "/readyz")
    asked.set()
    holder.join()
    assert reply.status == 500
    assert reply.body == b'{"title":"Internal Server Error","http_status":"500"}'
    assert [line["event"] for line in logs] == ["http.failed"]


# -- metrics -----------------------------------------------------------------------------------------------------------


def finding(name: str, status: Status) -> Change:
    found = making.finding(name, now=NOON, status=status)
    return Change(found, making.decision(found))


def fill(history: History) -> None:
    """One of each thing that is told."""
    refused = (Refused("no name", 3, "x"), Refused("no address", 4, "y"))
    with history.runs.claim("poll/circl"), history.transaction():
        run = history.runs.begin("poll/circl", NOON, NOON)
        assert run is not None
        history.runs.end(run.id, [SourceOutcome("circl", Outcome.PARTIAL, "a limit was hit", refused)], NOON)
    with history.transaction():
        history.facts.complete("circl", ["198.51.100.0/24"], NOON - timedelta(hours=2))
        history.facts.complete("circl", ["203.0.113.0/24"], NOON - timedelta(hours=1))
        history.findings.apply([finding(f"n{number}.example.net", Status.HELD) for number in range(3)])
        history.exports.keep(ExportState("domains.txt", "domains", 17, 1, "0" * 64, NOON, held="would shrink by half"))
        history.partners.add(Partner("cert-a", (), Tlp.GREEN), "a")
        history.partners.add(Partner("cert-b", (), Tlp.GREEN), "b")
        history.partners.fetched({"cert-a": NOON})


def samples(reply: Reply) -> dict[tuple[str, ...], float]:
    """Values by name and values of labels in the order of their names, read by Prometheus's own parser."""
    return {
        (sample.name.removeprefix("feedsvc_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    }


def test_metrics_tell_what_the_state_has(history: History, app: Front) -> None:
    fill(history)
    reply = ask(app, "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(reply)
    assert {key[0] for key in found if key[0] == "build_info"}
    noon = NOON.timestamp()
    assert {key: value for key, value in found.items() if key[0] != "build_info"} == {
        ("source_every_seconds", "circl"): 3600,
        ("source_every_seconds", "never-asked"): 300,
        ("source_outcome", "complete", "circl"): 0,
        ("source_outcome", "partial", "circl"): 1,
        ("source_outcome", "failed", "circl"): 0,
        ("source_outcome", "skipped", "circl"): 0,
        ("source_last_run_timestamp_seconds", "circl"): noon,
        ("source_last_complete_timestamp_seconds", "circl"): noon - 3600,
        ("source_refused", "circl"): 7,
        ("findings", "held", "jar-callbacks"): 3,
        ("export_names", "domains.txt", "domains"): 17,
        ("export_changed_timestamp_seconds", "domains.txt"): noon,
        ("export_held", "domains.txt"): 1,
        ("partner_last_fetch_timestamp_seconds", "cert-a"): noon,
    }


def test_metrics_name_no_name_that_was_found(history: History, app: Front) -> None:
    fill(history)
    assert not re.search(rb"n0\.example\.net|198\.51\.100", ask(app, "/metrics").body)


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.1.2.3", {}, 200),
        ("fd00::1", {}, 200),
        ("::ffff:192.168.0.9", {}, 200),
        ("8.8.8.8", {}, 404),
        ("2001:4860:4860::8888", {}, 404),
        ("::ffff:8.8.8.8", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "8.8.8.8"}, 404),
        ("127.0.0.1", {"Forwarded": "for=8.8.8.8"}, 404),
    ],
)
def test_metrics_are_for_neighbours(app: Front, client: str, headers: dict[str, str], status: int) -> None:
    assert ask(app, "/metrics", client=(client, 40000), headers=headers).status == status


# -- start and end -----------------------------------------------------------------------------------------------------


def test_the_end_of_the_process_closes_the_state(history: History, tmp_path: Path) -> None:
    with history.transaction():
        history.partners.add(Partner("cert-a", (), Tlp.GREEN), "a")
    access = Access(tmp_path / "feedsvc.db", now=lambda: NOON)
    app = app_over(access, tmp_path)
    access.fetched(Partner("cert-a", (), Tlp.GREEN))
    sent: list[str] = []

    async def live() -> None:
        received = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Message:
            return {"type": next(received)}

        async def send(message: Message) -> None:
            sent.append(message["type"])

        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    asyncio.run(live())
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert history.partners.all()[0].last_fetch == NOON
