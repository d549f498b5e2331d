"""`feedsvc sweep`: matches in log files as NDJSON, one object a line and answer; keeps no state."""

from __future__ import annotations

from typing import Annotated

import typer

from feedsvc.cli import printing


def sweep(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files, folders, globs; `-` is standard input.")],
    watch: Annotated[str, typer.Option(help="Only this rule.")] = "",
    form: Annotated[str, typer.Option("--format", help="The log's format; `auto` decides by the first bytes.")] = "auto",
    every_line: Annotated[
        bool,
        typer.Option("--every-line", help="Parse every line, and tell all that cannot be understood. Ten times slower."),
    ] = False,
) -> None:
    """Search log files for names that the rules watch for."""
    from feedsvc import assemble
    from feedsvc.assemble.sweeping import Sweep, trouble_text

    with printing.progress() as progress:
        settings = assemble.settings(context.obj)
        search = Sweep(settings, paths, watch=watch, form=form, progress=progress, every_line=every_line)
        for line in search.lines():
            if not printing.say(line, at_once=False):
                return
        printing.say("", end="")
    for trouble in search.troubles:
        printing.complain(trouble_text(trouble))
    if search.troubles:
        raise typer.Exit(1)
