"""The command line: one command per verb; parses, calls workflow, prints."""

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from myoproof import __version__

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
read_app = typer.Typer(no_args_is_help=True, help="Read files and show what they hold.")
segment_app = typer.Typer(no_args_is_help=True, help="Check the regions drawn on a scan.")
measure_app = typer.Typer(no_args_is_help=True, help="Measure a scan: one row per muscle, side and measure.")
study_app = typer.Typer(no_args_is_help=True, help="Run a study that was written down before the answer.")
for _name, _part in (
    ("read", read_app),
    ("segment", segment_app),
    ("measure", measure_app),
    ("study", study_app),
):
    app.add_typer(_part, name=_name)

out_console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)

Fat = Annotated[Path, typer.Option(help="Fat image (NIfTI).")]
Water = Annotated[Path, typer.Option(help="Water image (NIfTI), same grid.")]
Mask = Annotated[Path, typer.Option("--segmentation", help="Mask (NIfTI), same grid, one number a muscle.")]
Labels = Annotated[
    str, typer.Option(help="Label scheme: `huashan11`, or a CSV with columns label,site,side.")
]
SubjectName = Annotated[str, typer.Option(help="Pseudonym of the subject.")]
SessionName = Annotated[str, typer.Option(help="Visit, for example m00.")]
RaterName = Annotated[str, typer.Option(help="Who or what drew the mask.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads; the answer is the same for any number.")]
CORES = os.cpu_count() or 1
INTERRUPTED = 130
"""Exit code of a command that was interrupted, as shells have it."""


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


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Output folder: new, empty or an earlier demo.")] = Path(
        "myoproof-demo"
    ),
    threads: Threads = CORES,
) -> None:
    """Simulate a multi-centre ALS cohort, run the whole chain and print where the report is."""
    with _progress() as progress:
        report = _workflow("demo").demo(out, threads=threads, progress=progress)
    print(f"report: {report}")


@read_app.command("dixon")
def read_dixon(
    fat: Fat,
    water: Water,
) -> None:
    """Read a fat and a water image; show grid, orientation and value ranges."""
    _print_frame(_workflow("reading").read_dixon(fat, water))


@read_app.command("cohort")
def read_cohort(
    folder: Annotated[Path, typer.Argument(help="Folder with subjects.csv, measurements.csv and so on.")],
    into: Annotated[Path | None, typer.Option(help="Study folder to write the tables to.")] = None,
) -> None:
    """Read cohort tables, check their laws, show what they hold."""
    _print_frame(_workflow("reading").read_cohort_tables(folder, into=into))


@segment_app.command("drawn")
def segment_drawn(
    fat: Fat,
    water: Water,
    segmentation: Mask,
    labels: Labels = "huashan11",
    out: Annotated[Path | None, typer.Option(help="Findings as CSV.")] = None,
) -> None:
    """Check a drawn mask: islands, holes, empty labels, muscles cut by the stack or the field of view."""
    verbs = _workflow("verbs")
    frame = verbs.mask_findings(verbs.DixonFiles(fat, water, segmentation, labels), out=out)
    _print_frame(frame)
    print(f"{len(frame)} findings")


@measure_app.command("dixon")
def measure_dixon(
    fat: Fat,
    water: Water,
    segmentation: Mask,
    out: Annotated[Path, typer.Option(help="Rows: .csv or .parquet.")],
    labels: Labels = "huashan11",
    side_by_side: Annotated[
        bool,
        typer.Option("--side-by-side", help="Add rows with side `both`, over the union of left and right."),
    ] = False,
    qc: Annotated[Path | None, typer.Option(help="Quality-control picture (SVG).")] = None,
    subject: SubjectName = "subject",
    session: SessionName = "m00",
    rater: RaterName = "drawn",
    into: Annotated[Path | None, typer.Option(help="Study folder that the rows are added to.")] = None,
) -> None:
    """Fat fraction, area, volume and remaining muscle per muscle and side, each with its interval.

    Example: `myoproof measure dixon --fat F.nii.gz --water W.nii.gz --segmentation M.nii.gz --out rows.csv`
    """
    verbs = _workflow("verbs")
    files = verbs.DixonFiles(fat, water, segmentation, labels, subject, session, rater)
    rows = verbs.measure_dixon(files, out=out, qc=qc, options={"side_by_side": side_by_side}, into=into)
    _print_frame(verbs.dixon_summary(rows), title="fat fraction (95 % interval) and volume")
    print(f"{len(rows)} rows: {out}" + (f"\npicture: {qc}" if qc else ""))


@study_app.command("run")
def study_run(
    study: Annotated[Path, typer.Argument(help="Study TOML.")],
    cohort: Annotated[Path, typer.Option(help="Study folder, or folder of plain CSVs.")],
    out: Annotated[Path, typer.Option(help="Result folder: new, empty or an earlier result.")],
    threads: Threads = CORES,
) -> None:
    """Run a study on a cohort; save estimates, predictions and the evidence for its claims."""
    verbs = _workflow("verbs")
    with _progress() as progress:
        result = verbs.run_study(study, cohort, out, threads=threads, progress=progress)
    print(f"{len(result.estimates)} estimates, {len(result.predictions)} predictions: {out}")
    print(f"next: myoproof deliver {out}")


@study_app.command("template")
def study_template(
    name: Annotated[str, typer.Argument(help="A template of `myoproof study list`.")],
    out: Annotated[Path | None, typer.Option(help="Write the TOML here instead of printing it.")] = None,
    example: Annotated[
        Path | None, typer.Option(help="Write a filled set that runs (simulated cohort).")
    ] = None,
) -> None:
    """A ready study: print it, write it, or write it with a simulated cohort that runs."""
    templates = _workflow("templates")
    if example is not None:
        written = templates.write_example(name, example)
        print(f"next: myoproof study run {written} --cohort {example / 'cohort'} --out {example / 'result'}")
    elif out is not None:
        print(templates.write_template(name, out))
    else:
        print(templates.template(name).text, end="")


@study_app.command("list")
def study_list() -> None:
    """The ready studies."""
    for template in _workflow("templates").TEMPLATES.values():
        print(f"{template.name:24s} {template.title}")


@app.command()
def validate(
    rows: Annotated[Path, typer.Argument(help="Measurement rows (CSV or Parquet).")],
    against: Annotated[Path, typer.Option(help="Reference rows: truth, another reader, another software.")],
    across: Annotated[
        str, typer.Option(help="Key columns in which the two may differ, by commas.")
    ] = "method,rater",
    by_site: Annotated[bool, typer.Option("--by-site", help="Each site by itself too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Evidence rows as CSV.")] = None,
) -> None:
    """Agreement of two sets of rows: bias, limits of agreement, ICC, coverage of the intervals."""
    evidence = _workflow("verbs").validate_rows(rows, against, across=across, by_site=by_site, out=out)
    shown = ["about", "metric", "value", "low", "high", "n", "population", "verdict"]
    _print_frame(evidence[shown])
    if out:
        print(f"{len(evidence)} evidence rows: {out}")


def deliver(
    results: Annotated[list[Path], typer.Argument(help="Result folders.")],
    out: Annotated[
        Path | None, typer.Option(help="Delivery folder; beside the first result by default.")
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the report.")] = "",
) -> None:
    """The report of some results: one HTML file, its figures as SVG and its tables as CSV."""
    place = out or results[0].with_name(results[0].name + "-report")
    print(f"report: {_workflow('verbs').deliver(results, place, title=title)}")


app.command("deliver")(deliver)
app.command("report", help="Alias of deliver.")(deliver)


@app.command("list")
def list_registry(
    kind: Annotated[
        str,
        typer.Argument(
            help="sources, phantoms, segmenters, measures, studies, checks, writers or templates."
        ),
    ],
) -> None:
    """What is registered, a line each."""
    if kind == "templates":
        study_list()
        return
    for name, target, caption in _workflow("reading").registered(kind):
        print(f"{name:16s} {target:44s} {caption}")


@app.command()
def query(
    sql: Annotated[
        str, typer.Argument(help="SQL over subjects, acquisitions, measurements, events, covariates.")
    ] = "",
    cohort: Annotated[Path, typer.Option(help="Study folder, or folder of plain CSVs.")] = Path(),
    wide: Annotated[bool, typer.Option("--wide", help="A row per subject and session.")] = False,
    codebook: Annotated[bool, typer.Option("--codebook", help="Write a data dictionary too.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write CSV here; with --codebook also NAME.codebook.csv.")
    ] = None,
) -> None:
    """Ask the tables in SQL, or export them wide for R and SPSS.

    Example: `myoproof query "SELECT site, avg(value) FROM measurements GROUP BY site" --cohort study/`
    """
    frames = _workflow("reading").ask(sql, cohort, wide=wide, with_codebook=codebook, out=out)
    if out:
        print("\n".join(str(path) for path in frames))
        return
    for frame in frames.values():
        frame.to_csv(sys.stdout, index=False)


def main() -> None:
    """Run the command line; a fault of the user's input is one message and exit code 2."""
    errors = importlib.import_module("myoproof.errors")
    try:
        app()
    except errors.MyoproofError as error:
        error_console.print(f"[bold red]error:[/] {_escape(str(error))}", soft_wrap=True)
        raise SystemExit(2) from None
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
            raise
        error_console.print("interrupted; what was finished before is unchanged")
        raise SystemExit(INTERRUPTED) from None


def _workflow(module: str) -> Any:
    """A workflow module, loaded only when a command needs it: `--help` stays quick."""
    return importlib.import_module(f"myoproof.workflow.{module}")


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    quiet = not error_console.is_terminal
    with Progress(*columns, console=error_console, transient=True, disable=quiet) as bars:
        task = bars.add_task("starting", total=1.0)
        yield lambda what, share: bars.update(task, description=what, completed=share)


def _print_frame(frame: Any, title: str = "") -> None:
    table = Table(title=title or None, show_lines=False)
    for name in frame.columns:
        number = frame[name].dtype.kind in "fi"
        table.add_column(str(name), overflow="fold", justify="right" if number else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(_escape(_cell(value)) for value in row))
    out_console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def _escape(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    main()
