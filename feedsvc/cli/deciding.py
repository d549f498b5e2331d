"""`feedsvc review`: the queue, and what a person decides of it."""

from __future__ import annotations

import getpass
import os
from typing import Annotated

import typer

from feedsvc.cli import printing
from feedsvc.cli.jobs import JsonOption
from feedsvc.model import Change

app = typer.Typer(
    help="The review queue: what waits for a person, and what a person decides.", no_args_is_help=True, rich_markup_mode=None
)

Names = Annotated[list[str], typer.Argument(help="Names, as `review list` shows them.")]
WatchOption = Annotated[str, typer.Option("--watch", help="The rule; needed when several rules found the name.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept for ever, shown by `explain`.")]


@app.command("list")
def list_queue(context: typer.Context, watch: WatchOption = "", as_json: JsonOption = False) -> None:
    """What waits for a decision."""
    from feedsvc import assemble
    from feedsvc.pipeline import reviewing
    from feedsvc.publish import shapes

    with assemble.parts(assemble.settings(context.obj), watch=watch, read_only=True) as parts:
        waiting = reviewing.queue(parts, watch or None)
    if as_json:
        print(printing.json_text([shapes.finding_json(one) for one in waiting]))
        return
    rows = [(one.name, one.watch, str(one.status), str(one.novelty), one.reason) for one in waiting]
    print(printing.table(rows, ["NAME", "WATCH", "STATUS", "NOVELTY", "REASON"]) if rows else "nothing waits")


@app.command("approve")
def approve(context: typer.Context, names: Names, watch: WatchOption = "", reason: ReasonOption = "") -> None:
    """Publish names."""
    _decide(context, "approve", names, watch, reason)


@app.command("hold")
def hold(context: typer.Context, names: Names, watch: WatchOption = "", reason: ReasonOption = "") -> None:
    """Keep names back until somebody knows more."""
    _decide(context, "hold", names, watch, reason)


@app.command("reject")
def reject(context: typer.Context, names: Names, watch: WatchOption = "", reason: ReasonOption = "") -> None:
    """Never publish names, whatever evidence comes, until somebody approves them."""
    _decide(context, "reject", names, watch, reason)


@app.command("revoke")
def revoke(context: typer.Context, names: Names, watch: WatchOption = "", reason: ReasonOption = "") -> None:
    """Take published names back: from every list, and in the feed by a last version that says `revoked`."""
    _decide(context, "revoke", names, watch, reason)


@app.command("undo")
def undo(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="ID", help="The decision's number, as it was printed.")],
    reason: ReasonOption = "",
) -> None:
    """Take back the latest decision on a name."""
    from feedsvc import assemble
    from feedsvc.assemble.logging import log_to_stderr
    from feedsvc.pipeline import exporting, publishing, reviewing

    log_to_stderr()
    with printing.progress() as progress, assemble.parts(assemble.settings(context.obj), progress=progress) as parts:
        made = reviewing.undo(parts, number, actor=_who(), reason=reason)
        publishing.publish_approved(parts)
        exported = exporting.write(parts)
    _report([made], exported.held)


def _decide(context: typer.Context, verb: str, names: list[str], watch: str, reason: str) -> None:
    from feedsvc import assemble
    from feedsvc.assemble.logging import log_to_stderr
    from feedsvc.pipeline import exporting, publishing, reviewing

    log_to_stderr()
    with printing.progress() as progress, assemble.parts(assemble.settings(context.obj), progress=progress) as parts:
        made = reviewing.decide(parts, verb, names, watch or None, actor=_who(), reason=reason)
        publishing.publish_approved(parts)
        exported = exporting.write(parts)
    _report(made, exported.held)


def _report(made: list[tuple[int, Change]], held: tuple[tuple[str, str], ...]) -> None:
    for number, change in made:
        decision = change.decision
        print(f"{decision.verb} {decision.name} ({decision.watch}): {decision.before} -> {decision.after}; undo {number}")
    for name, reason in held:
        typer.echo(f"feedsvc: export {name} is held: {reason}", err=True)
    if held:
        raise typer.Exit(1)


def _who() -> str:
    # Under sudo the person is SUDO_USER; the log of decisions wants the person.
    return os.environ.get("SUDO_USER") or getpass.getuser()
