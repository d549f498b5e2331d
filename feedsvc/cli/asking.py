"""Commands that ask: `diff`, `explain`, `status`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from feedsvc.cli import printing
from feedsvc.cli.jobs import JsonOption


class Format(StrEnum):
    """How `diff` prints."""

    TEXT = "text"
    MD = "md"
    JSON = "json"
    CSV = "csv"


def diff(
    context: typer.Context,
    date: Annotated[str, typer.Argument(help="YYYY-MM-DD, `today` or `yesterday`.")] = "today",
    watch: Annotated[str, typer.Option(help="Only this rule.")] = "",
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TEXT,
    as_json: JsonOption = False,
) -> None:
    """What a day changed: added, published, held, removed, and which sources answered."""
    from feedsvc import assemble
    from feedsvc.pipeline import reading
    from feedsvc.publish import delta_text
    from feedsvc.publish.delta import of_watch

    settings = assemble.settings(context.obj)
    day, start, end = assemble.day(settings, date)
    with assemble.parts(settings, read_only=True) as parts:
        reading.know_watch(parts, watch)
        delta = reading.day(parts, day.isoformat(), start, end)
    if watch:
        delta = of_watch(delta, watch)
    if as_json or form is Format.JSON:
        printing.say(printing.json_text(delta_text.as_json(delta, "date")))
    elif form is Format.MD:
        printing.say(delta_text.as_markdown(delta, settings.timezone))
    elif form is Format.CSV:
        printing.say(delta_text.as_csv(delta), end="")
    else:
        printing.say(delta_text.as_text(delta, settings.timezone))


def explain(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A domain name, in any spelling.")],
    watch: Annotated[str, typer.Option(help="Only this rule.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Everything known of a name: evidence, why new or not, who decided what, who asked, where it stands."""
    from feedsvc import assemble
    from feedsvc.cli import showing
    from feedsvc.pipeline import reading

    settings = assemble.settings(context.obj)
    with assemble.parts(settings, read_only=True) as parts:
        reading.know_watch(parts, watch)
        explanation = reading.explain(parts, name, watch)
    printing.say(
        printing.json_text(showing.explanation_json(explanation)) if as_json else showing.explanation_text(explanation)
    )


def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """How sources, block lists and partners stand."""
    from feedsvc import assemble
    from feedsvc.cli import showing
    from feedsvc.pipeline import standing

    settings = assemble.settings(context.obj)
    with assemble.parts(settings, read_only=True) as parts:
        stand = standing.stand(parts, settings.sources)
    printing.say(printing.json_text(showing.status_json(stand)) if as_json else showing.status_text(stand))
    if not stand.clean:
        raise typer.Exit(1)
