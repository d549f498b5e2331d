"""`feedsvc hunt`: who asked for these names, looked up once more in what was read of the logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc import clock
from feedsvc.cli import printing

if TYPE_CHECKING:
    from feedsvc.model import Sighting
    from feedsvc.pipeline.hunting_by_hand import Hunted


def hunt(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME…]", help="Domain names; all findings if none.")] = None,
    watch: Annotated[str, typer.Option(help="Only findings of this rule.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line and client.")] = False,
) -> None:
    """Search the configured logs again for clients of these names."""
    from feedsvc import assemble
    from feedsvc.assemble.logging import log_to_stderr
    from feedsvc.assemble.stopping import ending
    from feedsvc.pipeline import hunting_by_hand, reading

    log_to_stderr()
    settings = assemble.settings(context.obj)
    with (
        ending() as stop,
        printing.progress() as progress,
        assemble.parts(settings, progress=progress, stop=stop) as parts,
    ):
        reading.know_watch(parts, watch)
        hunted = hunting_by_hand.hunt(parts, names or (), watch)
    if as_json:
        for source, one in hunted.clients:
            printing.say(json.dumps(client_json(source, one), ensure_ascii=False))
    elif hunted.clients:
        printing.say(printing.table([_row(source, one) for source, one in hunted.clients], HEADINGS))
    for line in where(hunted):
        printing.complain(line) if as_json else printing.say(printing.printable(line))
    if not hunted.through or hunted.troubles or any(one.lost for one in hunted.hunts):
        raise typer.Exit(1)


HEADINGS = ("NAME", "CLIENT", "TIMES", "FIRST", "LAST", "BY", "PROGRAM", "SOURCE", "LATEST IN")


def _row(source: str, one: Sighting) -> tuple[str, ...]:
    first, last = (f"{clock.from_epoch(time):%Y-%m-%d %H:%M:%S}" for time in (one.time_first, one.time_last))
    return one.rrname, one.client, str(one.count), first, last, one.kind, one.process or "-", source, one.log or "-"


def client_json(source: str, one: Sighting) -> dict[str, object]:
    """A client of a name, as `hunt` prints it."""
    return {
        "name": one.rrname,
        "client": one.client,
        "source": source,
        "kind": one.kind,
        "process": one.process,
        "log": one.log,
        "time_first": clock.rfc3339(clock.from_epoch(one.time_first)),
        "time_last": clock.rfc3339(clock.from_epoch(one.time_last)),
        "count": one.count,
    }


def where(hunted: Hunted) -> Iterator[str]:
    """What was searched, since when, and what could not be."""
    names = hunted.names[0] if len(hunted.names) == 1 else f"{len(hunted.names)} names"
    searched = sum(one.logs - one.left - len(one.lost) for one in hunted.hunts)
    found = len({one.client for _, one in hunted.clients})
    said = f"{found} client{'s' if found > 1 else ''} of" if found else "nobody asked for"
    logs = f"{searched} log{'' if searched == 1 else 's'} read before and in what is new"
    looked = f"in {logs} of {', '.join(hunted.sources)}" if hunted.sources else "but no source reads logs"
    yield f"{said} {names}, {looked}, since {hunted.since:%Y-%m-%d %H:%M:%S UTC}"
    for one in hunted.hunts:
        yield from (f"not searched: {lost}" for lost in one.lost)
    yield from (f"not searched: {trouble}" for trouble in hunted.troubles)
    if not hunted.through:
        yield "not through yet: it was stopped, or a log cannot be read at this moment; say it again to go on"
