"""`myoproof read`: files in, what they hold shown."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from myoproof.cli.options import CORES, Fat, Jobs, Water
from myoproof.cli.printing import error_console, escape, out_console, print_frame, progress, workflow

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


@commands.command("folder")
def read_folder(
    folder: Annotated[Path, typer.Argument(help="Folder of DICOM in any mixture, or of muscle-BIDS NIfTI.")],
    out: Annotated[Path | None, typer.Option(help="Study folder to write to; left out, only shown.")] = None,
    choose: Annotated[str, typer.Option(help="Scans to take, for example `1,3-5`, or `all`.")] = "",
    subject: Annotated[str, typer.Option(help="Pseudonym; left out, the next number (sub-001).")] = "",
    session: Annotated[str, typer.Option(help="Visit; left out, from the days since baseline (m00).")] = "",
    day: Annotated[float | None, typer.Option(help="Days since the subject's baseline.")] = None,
    salt: Annotated[str, typer.Option(help="Secret: pseudonyms become a hash of the patient's number.")] = "",
    key: Annotated[Path | None, typer.Option(help="Key file (who is who), outside of the study.")] = None,
    jobs: Jobs = CORES,
) -> None:
    """Show the scans of a folder; with --out, write them into a study without identity.

    `myoproof read FOLDER` is short for this.
    """
    module = workflow("read_folder")
    with progress() as told:
        found = module.look(folder, progress=told)
    if found.scans:
        print_frame(_telling(found.table))
    _print_findings(found.findings)
    if out is None:
        _print_outlook(found)
        return
    if found.ambiguous and not choose and sys.stdin.isatty():
        choose = typer.prompt(f"The folder {found.ambiguous}. Which scans? (1,3-5 or all)")
    options = module.Options(choose, subject, session, day, key, salt)
    with progress() as told:
        taken = module.take(folder, out, options, jobs=jobs, progress=told)
    print_frame(_telling(taken.scans))
    _print_findings([one for one in taken.findings if one not in found.findings])
    counts = taken.scans["state"].value_counts()
    said = ", ".join(f"{counts[state]} {state}" for state in ("new", "known", "refused") if state in counts)
    out_console.print(escape(f"{said} in {out}; images in {out / 'raw'} (muscle-BIDS), without identity"))
    if key is not None:
        error_console.print(escape(f"warning: {key} says who is who: keep it apart from the study"))


def _telling(frame: Any) -> Any:
    """A table without the columns that say nothing here."""
    silent = {"", "0", "1"}
    kept = [name for name in frame.columns if name == "scan" or set(map(str, frame[name])) - silent]
    return frame[kept]


def _print_outlook(found: Any) -> None:
    if found.ambiguous:
        out_console.print(escape(f"The folder {found.ambiguous}."))
        out_console.print("To write them: --out STUDY with --choose 1,3-5 or --choose all")
    elif found.scans:
        out_console.print("Nothing was written. To write a study: --out STUDY")
    else:
        out_console.print("No scan was found.")


def _print_findings(findings: Any) -> None:
    for one in findings:
        error_console.print(escape(f"{one.level}: {one}"), soft_wrap=True)
