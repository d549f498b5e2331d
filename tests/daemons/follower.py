"""A process that polls one log again and again, through the whole pipeline into a real state, to be killed at any moment.

Run as `python -m tests.daemons.follower CONFIGURATION MODE`, where MODE is `on` (until it is killed) or `once`. Says
`polled` and the outcome on a line after each poll.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from feedsvc import assemble, pipeline
from feedsvc.assemble.logging import log_to_stderr
from feedsvc.config import SourceSettings
from feedsvc.names import parse_address
from feedsvc.sources.following import LogSource
from feedsvc.sources.logs import Formats, NamedFormat
from feedsvc.sources.port import BadLine, LogFormat, LogParser, LogRecord, Parsed
from tests.daemons.servers import ADDRESS

WITHOUT_ANSWERS = ("bind", "unbound")
BATCH_FACTS = 6
"""Few, so that a poll of a hundred lookups is many transactions."""


class Answering(Formats):
    """Reads a log that tells no addresses as if each lookup had been answered: what counts here is that each is read."""

    def by_name(self, name: str) -> NamedFormat:
        found = super().by_name(name)
        return NamedFormat(found.name, _Answering(found.format))


class _Answering:
    def __init__(self, form: LogFormat) -> None:
        self._form = form

    def parser(self, state: str = "") -> LogParser:
        return _Parser(self._form.parser(state))

    def recognises(self, head: bytes) -> bool:
        return self._form.recognises(head)


class _Parser:
    def __init__(self, parser: LogParser) -> None:
        self._parser = parser
        self.state = parser.state

    def parse(self, line: bytes, offset: int) -> Parsed:
        found = self._parser.parse(line, offset)
        return tuple(map(_answered, found)) if isinstance(found, tuple) else found and _answered(found)


def _answered(found: LogRecord | BadLine) -> LogRecord | BadLine:
    if isinstance(found, BadLine):
        return found
    return dataclasses.replace(found, rrtype="A", answers=(parse_address(ADDRESS),))


def source(one: SourceSettings) -> LogSource:
    formats = (Answering if one.format in WITHOUT_ANSWERS else Formats)(one.format)
    return LogSource(one.name, one.path, formats, batch_facts=BATCH_FACTS)


def follow(configuration: str, mode: str) -> None:
    log_to_stderr()
    loaded = assemble.settings(Path(configuration))
    with assemble.parts(loaded) as parts:
        one = source(loaded.sources[0])
        while True:
            ran = pipeline.run(parts, [one])
            (outcome,) = ran.delta.sources
            remarks = [outcome.reason, *(f"{one.reason}: {one.sample}" for one in outcome.refused)]
            print("polled", outcome.outcome, *filter(None, remarks), flush=True)
            if mode == "once":
                return


if __name__ == "__main__":
    follow(*sys.argv[1:])
