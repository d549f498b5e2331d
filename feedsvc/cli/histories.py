"""`feedsvc history`: the whole state as one portable file, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli import printing

if TYPE_CHECKING:
    from feedsvc.history.files import Moved

app = typer.Typer(
    help="The whole state as one portable file: export it, import it elsewhere.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("export")
def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="Replaced when it is there; `-` is standard output, `.gz` compresses.")],
) -> None:
    """Write all that is known to a file, as of one moment; others may go on working meanwhile."""
    from feedsvc import assemble, clock
    from feedsvc.assemble.stopping import ending
    from feedsvc.history import files

    settings = assemble.settings(context.obj)
    with ending() as stop, printing.progress() as progress:
        moved = files.export_file(settings.state, file, clock.utc_now(), progress, stop)
    if file != files.STANDARD:
        shown = printing.printable(file)
        printing.say(f"wrote {shown}: {_amount(moved)}; it holds keys and who asked for what: keep it as you keep the state")


@app.command("import")
def import_history(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="What `history export` wrote; `-` is standard input.")],
) -> None:
    """Take a file into a state that is empty or not there yet: all of it, or nothing."""
    from feedsvc import assemble
    from feedsvc.history import files

    settings = assemble.settings(context.obj)
    with printing.progress() as progress:
        moved = files.import_file(settings.state, file, progress)
    printing.say(f"{settings.state} is now as it was exported at {printing.printable(moved.exported_at)}: {_amount(moved)}")


def _amount(moved: Moved) -> str:
    filled = sum(1 for count in moved.counts.values() if count)
    return f"{moved.rows:,} rows in {filled} tables"
