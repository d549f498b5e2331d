"""Commands that come first: `init`, `check`, `plugins`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from feedsvc.cli import printing
from feedsvc.cli.jobs import JsonOption


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put them; made when it is not there.")],
) -> None:
    """Write a starter configuration, rules and exports folder; overwrite nothing."""
    from feedsvc.cli import starting
    from feedsvc.errors import UsageError

    try:
        for path, written in starting.start(folder):
            printing.say(f"{'wrote' if written else 'kept '} {path}")
    except OSError as err:
        raise UsageError(f"cannot write {err.filename or folder}: {err.strerror}; give another DIR") from err
    printing.say(f"\nnext: feedsvc --config {folder / 'feedsvc.toml'} check")


def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Check configuration, rules with their examples, and credentials; every fault at once."""
    from feedsvc import assemble

    faults = assemble.check(context.obj)
    if as_json:
        rows = [{"file": fault.file, "line": fault.line, "message": fault.message} for fault in faults]
        printing.say(printing.json_text(rows))
    else:
        printing.say("\n".join(str(fault) for fault in faults) if faults else "no faults")
    if faults:
        raise typer.Exit(2)


def plugins(
    kind: Annotated[str, typer.Argument(help="pdns, logs, blocklists or notices.")] = "",
    name: Annotated[str, typer.Argument(help="Show the manual page of this one.")] = "",
    as_json: JsonOption = False,
) -> None:
    """What plug-ins there are, with their manual pages."""
    from feedsvc import plugins as the_plugins

    if name:
        module = the_plugins.load(the_plugins.kind(kind), name)
        manual = the_plugins.manual(module)
        shape = {"kind": kind, "name": name, "summary": the_plugins.summary(module), "manual": manual}
        printing.say(printing.json_text(shape) if as_json else manual)
        return
    found = the_plugins.overview(kind)
    if as_json:
        printing.say(printing.json_text([{"kind": one.kind, "name": one.name, "summary": one.summary} for one in found]))
    else:
        printing.say(printing.table([(one.kind, one.name, one.summary) for one in found], ["KIND", "NAME", "WHAT IT IS"]))
