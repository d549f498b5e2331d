"""The command line: parses, calls, prints, and nothing else.

Results go to stdout, logs and progress to stderr. Exit codes: 0 done; 1 done but something failed, and it was said which;
2 bad usage, configuration or rule. Each command imports what it needs when it is called, so that `--help` and a small
`sweep` start at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from feedsvc.cli import asking, deciding, histories, hunting, jobs, partners, setting_up, sweeping

app = typer.Typer(
    name="feedsvc",
    help="Watch netblocks for new callback domains; publish them by STIX/TAXII 2.1 and as block lists.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: rich takes a third of a second to load
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version("feedsvc"))
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[Path, typer.Option(help="The configuration.", envvar="FEEDSVC_CONFIG")] = Path("feedsvc.toml"),
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")] = False,
) -> None:
    """Watch netblocks for new callback domains; publish them by STIX/TAXII 2.1 and as block lists."""
    del version
    context.obj = config


app.command("init")(setting_up.init)
app.command("check")(setting_up.check)
app.command("plugins")(setting_up.plugins)
app.command("demo")(jobs.demo)
app.command("run")(jobs.run)
app.command("poll")(jobs.poll)
app.command("serve")(jobs.serve)
app.command("export")(jobs.export)
app.command("verify")(jobs.verify)
app.command("diff")(asking.diff)
app.command("explain")(asking.explain)
app.command("status")(asking.status)
app.command("sweep")(sweeping.sweep)
app.command("hunt")(hunting.hunt)
app.add_typer(deciding.app, name="review")
app.add_typer(partners.app, name="partner")
app.add_typer(histories.app, name="history")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; every error becomes one clear message and an exit code.

    Args:
        arguments: those of the process when left out.

    Raises:
        SystemExit: always, with the exit code.
    """
    from feedsvc.cli.printing import speak_utf8
    from feedsvc.errors import ConfigError, FeedsvcError, UsageError

    speak_utf8()
    try:
        app(arguments)
    except ConfigError as err:
        fail(str(err), 2)
    except UsageError as err:
        fail(f"feedsvc: {err}", 2)
    except (FeedsvcError, OSError) as err:
        fail(f"feedsvc: {err}", 1)


def fail(message: str, code: int) -> None:
    """Say a message on stderr and end with a code."""
    print(message, file=sys.stderr)
    sys.exit(code)
