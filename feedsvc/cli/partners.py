"""`feedsvc partner`: who may read the feed and the lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli import printing
from feedsvc.cli.jobs import JsonOption

if TYPE_CHECKING:
    from feedsvc.pipeline.granting import Granted

app = typer.Typer(
    help="Organisations that may read: TAXII collections and block lists.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="The partner's name; also its login for Basic access.")]


@app.command("add")
def add(
    context: typer.Context,
    name: Name,
    collection: Annotated[list[str], typer.Option(help="Alias of a collection; may be given often.")],
    max_tlp: Annotated[str, typer.Option(help="clear, green, amber, amber+strict or red.")],
    export: Annotated[list[str] | None, typer.Option(help="Name of a block list; may be given often.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Let a partner read. The token is shown once and kept nowhere."""
    from feedsvc import assemble
    from feedsvc.pipeline import granting

    settings = assemble.settings(context.obj)
    with assemble.parts(settings) as parts:
        granted = granting.add(parts, name, collection, max_tlp, export or [])
    _show(granted, as_json=as_json)


def _show(granted: Granted, *, as_json: bool) -> None:
    if as_json:
        printing.say(
            printing.json_text({"name": granted.name, "token": granted.token, "collections": list(granted.collections)})
        )
        return
    printing.say(f"partner {granted.name}\ntoken   {granted.token}\nreads   {', '.join(granted.collections)}")
    printing.say("The token is shown this once. Basic access: the partner's name and the token; or Bearer with the token.")


@app.command("list")
def list_partners(context: typer.Context, as_json: JsonOption = False) -> None:
    """Every partner, what it may read, when it fetched last."""
    from feedsvc import assemble
    from feedsvc.cli import showing
    from feedsvc.publish import shapes

    with assemble.parts(assemble.settings(context.obj), read_only=True) as parts:
        partners = parts.history.partners.all()
    if as_json:
        printing.say(printing.json_text([shapes.partner_json(one) for one in partners]))
        return
    rows = [
        (
            one.name,
            ", ".join(one.collections),
            str(one.max_tlp),
            ", ".join(one.exports),
            showing.said(one.last_fetch),
        )
        for one in partners
    ]
    printing.say(
        printing.table(rows, ["PARTNER", "COLLECTIONS", "MAX TLP", "EXPORTS", "LAST FETCH"]) if rows else "no partners"
    )


@app.command("rotate")
def rotate(context: typer.Context, name: Name, as_json: JsonOption = False) -> None:
    """Give a partner a new token; the old one stops at once."""
    from feedsvc import assemble
    from feedsvc.pipeline import granting

    with assemble.parts(assemble.settings(context.obj)) as parts:
        granted = granting.rotate(parts, name)
    _show(granted, as_json=as_json)


@app.command("remove")
def remove(context: typer.Context, name: Name) -> None:
    """Stop a partner from reading."""
    from feedsvc import assemble
    from feedsvc.pipeline import granting

    with assemble.parts(assemble.settings(context.obj)) as parts:
        granting.remove(parts, name)
    printing.say(f"{name} can read nothing any more")


@app.command("preview")
def preview(context: typer.Context, name: Name) -> None:
    """What a partner would read now, as NDJSON: each object of each collection, byte for byte."""
    from feedsvc import assemble
    from feedsvc.pipeline import granting

    with assemble.parts(assemble.settings(context.obj), read_only=True) as parts:
        for body in granting.preview(parts, name):
            printing.say(body.decode())
