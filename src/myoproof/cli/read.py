"""`myoproof read`: files in, what they hold shown."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import Fat, Water
from myoproof.cli.printing import print_frame, workflow

commands = typer.Typer(no_args_is_help=True, help="Read files and show what they hold.")


@commands.command("dixon")
def read_dixon(
    fat: Fat,
    water: Water,
) -> None:
    """Read a fat and a water image; show grid, orientation and value ranges."""
    print_frame(workflow("reading").read_dixon(fat, water))


@commands.command("cohort")
def read_cohort(
    folder: Annotated[Path, typer.Argument(help="Folder with subjects.csv, measurements.csv and so on.")],
    into: Annotated[Path | None, typer.Option(help="Study folder to write the tables to.")] = None,
) -> None:
    """Read cohort tables, check their laws, show what they hold."""
    print_frame(workflow("reading").read_cohort_tables(folder, into=into))
