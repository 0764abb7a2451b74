"""`myoproof run`: many scans at once, resumable; a scan that fails does not stop the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from myoproof.cli.options import CORES, Jobs, Labels, RaterName
from myoproof.cli.printing import error_console, escape, workflow

commands = typer.Typer(
    no_args_is_help=True, help="Run a whole study folder: resumable, in parallel, scan by scan."
)
QUARANTINED = 3
"""Exit code of a run that finished, but for scans that could not be measured."""


@commands.callback()
def group() -> None:
    """Run a whole study folder."""


@commands.command("mri")
def run_mri(
    source: Annotated[Path, typer.Argument(help="Folder of DICOM or NIfTI, muscle-BIDS folder, or study.")],
    out: Annotated[Path, typer.Option(help="Study folder: new, or one to go on with.")],
    masks: Annotated[Path | None, typer.Option(help="Folder of drawn masks, named by subject.")] = None,
    labels: Labels = "",
    rater: RaterName = "drawn",
    t2: Annotated[bool, typer.Option("--t2/--no-t2", help="Water T2 where the session has a scan.")] = True,
    radiomics: Annotated[bool, typer.Option("--radiomics", help="Radiomic features too.")] = False,
    simulated: Annotated[bool, typer.Option("--simulated", help="The scans are simulated: say so.")] = False,
    maps: Annotated[
        bool, typer.Option("--maps/--no-maps", help="Keep fat-water and T2 maps as images (derivatives/).")
    ] = True,
    propagate: Annotated[
        bool,
        typer.Option(
            "--propagate/--no-propagate",
            help="Carry a mask drawn at an earlier visit to later ones that have none.",
        ),
    ] = True,
    jobs: Jobs = CORES,
    choose: Annotated[
        str, typer.Option(help="Scans of a DICOM folder with several patients: `1,3-5` or `all`.")
    ] = "",
    retry: Annotated[bool, typer.Option("--retry", help="Try quarantined scans again.")] = False,
    memory_gib: Annotated[float, typer.Option(min=0.5, help="Memory one scan may take (GiB).")] = 8.0,
    minutes: Annotated[float, typer.Option(min=0.1, help="Time one scan may take (minutes).")] = 30.0,
) -> None:
    """Every scan of a folder: fat, size, T2 and flags per muscle, a page a scan, one table, one report.

    Stop it at any time and start it again with the same words: what is finished stays. Exit code 3: finished,
    but some scans could not be measured; they are listed with the reason.
    """
    mri = workflow("mri")
    options = mri.Options(labels, rater, t2, radiomics, maps, propagate, simulated)
    how = mri.How(jobs=jobs, retry=retry, memory_gib=memory_gib, time_s=60 * minutes, choose=choose)
    with telling("looking for scans") as tell:
        outcome = mri.run(source, out, masks=masks, options=options, how=how, tell=tell)
    for note in outcome.notes:
        print(note)
    for scan, reason in outcome.source.findings.left_out.items():
        print(f"left out: {scan}: {reason}")
    print(f"{outcome.done} scans measured, {outcome.skipped} finished before: {out}")
    print(f"report: {outcome.report}")
    for scan, reason in outcome.quarantined.items():
        error_console.print(f"[bold red]quarantined:[/] {escape(scan)}: {escape(reason)}", soft_wrap=True)
    if outcome.quarantined:
        error_console.print("mend them and run again, or run again with --retry")
        raise typer.Exit(QUARANTINED)


@contextmanager
def telling(start: str) -> Iterator[Callable[[str, str, str, int, int], None]]:
    """A progress bar on a terminal, with what it starts by; elsewhere a line for every scan that ends."""
    if not error_console.is_terminal:
        yield _line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=error_console, transient=True) as bars:
        task = bars.add_task(start, total=None)

        def tell(scan: str, state: str, why: str, done: int, total: int) -> None:
            if state != "started":
                bars.console.print(f"{escape(scan)}: {escape(_told(state, why))}", soft_wrap=True)
            bars.update(task, description=escape(scan), completed=done, total=total)

        yield tell


def _line(scan: str, state: str, why: str, done: int, total: int) -> None:
    if state != "started":
        error_console.print(f"{done}/{total} {escape(scan)}: {escape(_told(state, why))}", soft_wrap=True)


def _told(state: str, why: str) -> str:
    return f"{'failed, to be tried again' if state == 'waiting' else state}: {why}"
