"""`feedsvc review`: the queue, and what a person decides of it."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli import printing
from feedsvc.cli.jobs import JsonOption

if TYPE_CHECKING:
    from feedsvc.model import Change
    from feedsvc.pipeline.parts import Parts

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
    from feedsvc.pipeline import reading, reviewing
    from feedsvc.publish import shapes

    with assemble.parts(assemble.settings(context.obj), read_only=True) as parts:
        reading.know_watch(parts, watch)
        waiting = reviewing.queue(parts, watch or None)
    if as_json:
        printing.say(printing.json_text([shapes.finding_json(one) for one in waiting]))
        return
    rows = [(one.name, one.watch, str(one.status), str(one.novelty), one.reason) for one in waiting]
    printing.say(printing.table(rows, ["NAME", "WATCH", "STATUS", "NOVELTY", "REASON"]) if rows else "nothing waits")


@app.command("undo")
def undo(
    context: typer.Context,
    number: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="The decision's number, as it was printed.")
    ],
    reason: ReasonOption = "",
) -> None:
    """Take back the latest decision on a name."""
    from feedsvc import assemble
    from feedsvc.assemble.logging import log_to_stderr
    from feedsvc.pipeline import reviewing

    log_to_stderr()
    with printing.progress() as progress, assemble.parts(assemble.settings(context.obj), progress=progress) as parts:
        _report([reviewing.undo(parts, number, actor=_who(), reason=printing.whole(reason))])
        _publish(parts)


def _decide(context: typer.Context, verb: str, names: list[str], watch: str, reason: str) -> None:
    from feedsvc import assemble
    from feedsvc.assemble.logging import log_to_stderr
    from feedsvc.pipeline import reviewing

    log_to_stderr()
    with printing.progress() as progress, assemble.parts(assemble.settings(context.obj), progress=progress) as parts:
        _report(reviewing.decide(parts, verb, names, watch or None, actor=_who(), reason=printing.whole(reason)))
        _publish(parts)


def _offer(verb: str, does: str) -> None:
    def command(context: typer.Context, names: Names, watch: WatchOption = "", reason: ReasonOption = "") -> None:
        _decide(context, verb, names, watch, reason)

    app.command(verb, help=does)(command)


_offer("approve", "Publish names.")
_offer("hold", "Keep names back until somebody knows more.")
_offer("reject", "Never publish names, whatever evidence comes, until somebody approves them.")
_offer("revoke", "Take published names back: from every list, and in the feed by a last version that says `revoked`.")


def _report(made: list[tuple[int, Change]]) -> None:
    """What was decided: said before it is published, since it stands whatever becomes of a list."""
    for number, change in made:
        decision = change.decision
        printing.say(
            f"{decision.verb} {decision.name} ({decision.watch}): {decision.before} -> {decision.after}; undo {number}"
        )


def _publish(parts: Parts) -> None:
    from feedsvc.model import Status
    from feedsvc.pipeline import exporting, publishing

    unfit = [change.finding for change in publishing.publish_approved(parts) if change.finding.status is Status.HELD]
    exported = exporting.write(parts)
    for one in unfit:
        printing.complain(f"{one.name} is held: {one.reason}")
    printing.complain_of_lists(exported.held)
    if unfit or exported.held:
        raise typer.Exit(1)


def _who() -> str:
    """The person, for the log of decisions: under sudo whoever called it, in a container perhaps a number alone."""
    from feedsvc.judge.policy import RULE

    try:
        login = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # nobody of this number in /etc/passwd
        login = f"uid {os.getuid()}"
    # An account of the service's own name is a person all the same: only a person's decision can be undone.
    return f"user {login}" if login == RULE else login
