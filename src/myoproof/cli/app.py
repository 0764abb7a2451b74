"""The command line put together: one command per verb; parses, calls workflow, prints."""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from myoproof import __version__
from myoproof.cli import (
    describe,
    fatwater,
    harmonise,
    importing,
    impute,
    measure,
    measure_derived,
    measure_fasciculations,
    measure_multiecho,
    measure_radiomics,
    measure_relaxation,
    measure_ultrasound,
    norms,
    read,
    run,
    run_ultrasound,  # noqa: F401 - joins the group of run
    segment,
    segment_nerve,
    study,
    tables,
)
from myoproof.cli.printing import error_console, escape

INTERRUPTED = 130
"""Exit code of a command that was interrupted, as shells have it."""

app = typer.Typer(
    name="myoproof",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Neuromuscular measurements, studies and the evidence behind every number.\n\n"
        "**read** files, **segment** regions, **measure** rows, **study** cohorts, "
        "**validate** rows against rows, **deliver** reports. Start with `myoproof demo`. "
        "Research use only; not a medical device."
    ),
)
GROUPS = {
    "read": read,
    "segment": segment,
    "measure": measure,
    "study": study,
    "run": run,
    "harmonise": harmonise,
    "norms": norms,
    "import": importing,
}
for _name, _group in GROUPS.items():
    app.add_typer(_group.commands, name=_name)
segment.commands.command("nerve")(segment_nerve.segment_nerve)
measure.commands.command("multiecho")(measure_multiecho.measure_multiecho)
measure.commands.command("radiomics")(measure_radiomics.measure_radiomics)
measure.commands.command("derived")(measure_derived.measure_derived)
measure.commands.command("relaxation")(measure_relaxation.measure_relaxation)
measure.commands.command("ultrasound")(measure_ultrasound.measure_ultrasound)
measure.commands.command("fasciculations")(measure_fasciculations.measure_fasciculations)
for _command in (tables.demo, tables.validate, tables.validate_masks, tables.deliver, tables.query):
    app.command()(_command)
app.command("report", help="Alias of deliver.")(tables.deliver)
app.command("list")(tables.list_registry)
app.command("fatwater")(fatwater.fatwater)
app.command("describe")(describe.describe)
app.command("impute")(impute.impute)


@app.callback()
def face(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
) -> None:
    """Root options."""
    if version:
        print(__version__)
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a fault of the user's input is one message and exit code 2."""
    errors = importlib.import_module("myoproof.errors")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=_with_folder(words))
    except errors.MyoproofError as error:
        error_console.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise SystemExit(2) from None
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
            raise
        error_console.print("interrupted; what was finished before is unchanged")
        raise SystemExit(INTERRUPTED) from None


def _with_folder(words: list[str]) -> list[str]:
    """`read FOLDER` stands for `read folder FOLDER`."""
    known = {command.name for command in read.commands.registered_commands} | {"-h", "--help"}
    if words[:1] == ["read"] and len(words) > 1 and words[1] not in known and "folder" in known:
        return ["read", "folder", *words[1:]]
    return words
