"""`feedsvc serve`: the schedule in this process, HTTP in one of its own, both ended in order by one signal."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import structlog

from feedsvc import assemble, clock, pipeline
from feedsvc.assemble import building
from feedsvc.assemble.hunting import Hunter
from feedsvc.assemble.logging import log_to_stderr
from feedsvc.assemble.stopping import ending
from feedsvc.config import Settings, SourceSettings
from feedsvc.errors import ConfigError
from feedsvc.history import open_history
from feedsvc.pipeline import polling
from feedsvc.pipeline.exporting import Upkeep
from feedsvc.pipeline.polling import Turn
from feedsvc.schedule import Job, Schedule
from feedsvc.taxii.app import PREFIX, TaxiiApp
from feedsvc.taxii.tokens import keep_key
from feedsvc.web import serving
from feedsvc.web.access import Access
from feedsvc.web.app import build_app
from feedsvc.web.asgi import App
from feedsvc.web.exports import ExportsApp, ServedList
from feedsvc.web.front import Mount
from feedsvc.web.metrics import Told

log = structlog.get_logger()


def serve(loaded: Settings) -> None:
    """Poll on schedule and serve TAXII and block lists until SIGTERM or SIGINT.

    Raises:
        ConfigError: with every fault of configuration, rules and plug-in settings.
        UsageError: an address to listen on is not to be had.
    """
    log_to_stderr(logging.INFO)
    with ending() as stop, http(loaded) as server, ExitStack() as started:
        hunter = started.enter_context(Hunter(loaded.file, loaded.state))
        ears = [started.enter_context(listener.start()) for listener in building.listeners(loaded)]
        upkeep = Upkeep()
        schedule = Schedule([_job(loaded, one, stop, upkeep) for one in loaded.sources], clock.utc_now)
        schedule.start()
        log.info("serve.ready", taxii=f"{server.url}{PREFIX}/", exports=f"{server.url}/exports/index.json")
        while not stop.wait(1.0) and server.wait(0) is None and all(ear.alive for ear in ears):
            hunter.look()
        asked, deaf = stop.is_set(), not all(ear.alive for ear in ears)
        stop.set()
        schedule.stop()
    if not asked:
        who = "what listens for logs" if deaf else "the HTTP process"
        raise serving.ServingFailed(f"{who} ended on its own; what it had to say is on stderr")


def http(loaded: Settings) -> serving.HttpServer:
    """Start the HTTP process; the state is made, with collections and keys, before it reads them.

    Raises:
        ConfigError, UsageError: as `serve`.
    """
    with assemble.parts(loaded) as parts, parts.history.transaction():
        keep_key(parts.history)
    return serving.start(loaded.http, serving.Target("feedsvc.assemble.serving:web_app", (str(loaded.file),)))


def web_app(file: str) -> App:
    """The HTTP process's application, from the configuration at this path."""
    log_to_stderr(logging.INFO)
    loaded = assemble.settings(Path(file))
    history = open_history(loaded.state)
    try:
        with history.transaction():
            key = keep_key(history)
        collections = building.collections(loaded, history, keep=True)
    finally:
        history.close()
    access = Access(loaded.state)
    taxii = TaxiiApp(access=access, collections=collections, producer=loaded.producer, http=loaded.http, key=key)
    lists = [ServedList(one.settings, one.format.media_type) for one in building.exports(loaded)]
    return build_app(
        access=access,
        taxii=Mount(PREFIX, taxii, "application/taxii+json;version=2.1"),
        lists=ExportsApp(folder=loaded.exports_dir, lists=lists, access=access),
        told=Told(loaded.sources, building.billing(loaded)),
    )


def _job(loaded: Settings, source: SourceSettings, stop: threading.Event, upkeep: Upkeep) -> Job:
    def last() -> datetime | None:
        history = open_history(loaded.state, read_only=True)
        try:
            run = history.runs.last(f"poll/{source.name}")
        finally:
            history.close()
        return run.window if run else None

    def again() -> datetime | None:
        history = open_history(loaded.state, read_only=True)
        try:
            return polling.goes_on_at(history, source.name)
        finally:
            history.close()

    def run(window: datetime, continuing: bool) -> None:
        try:
            with assemble.parts(loaded, stop=stop, person=False) as parts:
                pipeline.run(parts, assemble.chosen(parts.sources, source.name), Turn(window, continuing), upkeep)
        except ConfigError as err:
            # Rules are read anew for each run; one that was edited badly must not stop a feed without a word in `status`.
            log.warning("serve.at_fault", source=source.name, faults=[str(fault) for fault in err.faults])
            _tell(loaded, source, window, f"not polled: {err.faults[0]}")

    return Job(source.name, source.every, last, run, again)


def _tell(loaded: Settings, source: SourceSettings, window: datetime, reason: str) -> None:
    history = open_history(loaded.state)
    try:
        polling.not_polled(history, source.name, window, reason, clock.utc_now())
    finally:
        history.close()
