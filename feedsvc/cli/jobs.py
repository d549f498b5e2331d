"""Commands that do work: `run`, `serve`, `export`, `verify`, `demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from feedsvc.cli import printing

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def run(
    context: typer.Context,
    watch: Annotated[str, typer.Option(help="Ask about this rule's netblocks alone.")] = "",
    source: Annotated[str, typer.Option(help="Only this source.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Poll each source once, now; publish, write the lists, hunt for who asked for what is new, print it."""
    _run(context, watch, source, "", as_json=as_json)


def _run(context: typer.Context, watch: str, source: str, kind: str, *, as_json: bool) -> None:
    from feedsvc import assemble, pipeline
    from feedsvc.assemble.logging import log_to_stderr
    from feedsvc.assemble.stopping import ending
    from feedsvc.pipeline import hunting
    from feedsvc.publish import delta_text
    from feedsvc.publish.delta import of_watch

    log_to_stderr()
    settings = assemble.settings(context.obj)
    with (
        ending() as stop,
        printing.progress() as progress,
        assemble.parts(settings, watch=watch, progress=progress, stop=stop) as parts,
    ):
        result = pipeline.run(parts, assemble.chosen(parts.sources, source, kind))
        hunting.carry_on(parts)
    delta = of_watch(result.delta, watch) if watch else result.delta
    if as_json:
        printing.say(printing.json_text(delta_text.as_json(delta, "run")))
    else:
        printing.say(delta_text.as_text(delta, settings.timezone))
    printing.complain_of_lists(result.exported.held)
    if not result.clean:
        raise typer.Exit(1)


def poll(
    context: typer.Context,
    watch: Annotated[str, typer.Option(help="Ask about this rule's netblocks alone.")] = "",
    source: Annotated[str, typer.Option(help="Only this source.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the calls and what they cost; make none.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Poll the passive DNS providers now, as `run` does; or print what that would ask."""
    if dry_run:
        _print_plan(context, watch, source, as_json=as_json)
    else:
        _run(context, watch, source, "pdns", as_json=as_json)


def _print_plan(context: typer.Context, watch: str, source: str, *, as_json: bool) -> None:
    from feedsvc import assemble
    from feedsvc.cli import plans
    from feedsvc.pipeline import planning

    settings = assemble.settings(context.obj)
    with assemble.parts(settings, watch=watch) as parts:
        planned = planning.planned(parts, assemble.chosen(parts.sources, source, "pdns"))
    printing.say(printing.json_text(plans.as_json(planned)) if as_json else plans.as_text(planned))


def serve(context: typer.Context) -> None:
    """Run on schedule and serve TAXII and the block lists until told to end."""
    from feedsvc import assemble
    from feedsvc.assemble import serving

    serving.serve(assemble.settings(context.obj))


def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="One list; all of them when left out.")] = "",
    accept_shrink: Annotated[bool, typer.Option(help="Write what a guard holds back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the block lists now."""
    from feedsvc import assemble
    from feedsvc.assemble.logging import log_to_stderr
    from feedsvc.cli import showing
    from feedsvc.pipeline import exporting
    from feedsvc.publish import shapes

    log_to_stderr()
    settings = assemble.settings(context.obj)
    with printing.progress() as progress, assemble.parts(settings, progress=progress) as parts:
        exported = exporting.write(parts, only=name, accept_shrink=accept_shrink)
        states = exporting.states(parts)
    printing.say(
        printing.json_text([shapes.export_json(one) for one in states]) if as_json else showing.exports_text(states)
    )
    printing.complain_of_lists(exported.held)
    if exported.held:
        raise typer.Exit(1)


def verify(context: typer.Context, as_json: JsonOption = False) -> None:
    """Read the own feed back as a partner would, fetch every list, compare with history."""
    from feedsvc import assemble
    from feedsvc.assemble.logging import log_to_stderr
    from feedsvc.assemble.verifying import verifier
    from feedsvc.taxii.verifying import verify as compare

    log_to_stderr()
    with printing.progress() as progress, verifier(assemble.settings(context.obj), progress=progress) as ready:
        report = compare(ready)
    printing.say(printing.json_text(report.as_json()) if as_json else report.as_text())
    if not report.clean:
        raise typer.Exit(1)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End when everything was shown.")] = False,
) -> None:
    """Show the whole job on bundled data over real sockets; state in a temporary folder."""
    from feedsvc import demo as the_demo
    from feedsvc.assemble.logging import log_to_stderr

    log_to_stderr()
    the_demo.run(once=once, say=printing.say)
