"""`validate`, `deliver`, `list`, `query` and `demo`: one function a command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import CORES, Threads
from myoproof.cli.printing import print_frame, workflow
from myoproof.cli.printing import progress as progress_bar
from myoproof.cli.study import study_list


def demo(
    out: Annotated[Path, typer.Option(help="Output folder: new, empty or an earlier demo.")] = Path(
        "myoproof-demo"
    ),
    threads: Threads = CORES,
) -> None:
    """Simulate a multi-centre ALS cohort, run the whole chain and print where the report is."""
    with progress_bar() as progress:
        report = workflow("demo").demo(out, threads=threads, progress=progress)
    print(f"report: {report}")


def validate(
    rows: Annotated[Path, typer.Argument(help="Measurement rows (CSV or Parquet).")],
    against: Annotated[
        Path | None,
        typer.Option(help="Reference rows: truth, another reader, another software, the repeats."),
    ] = None,
    across: Annotated[
        str, typer.Option(help="Key columns in which the two may differ, by commas; repeats differ in `run`.")
    ] = "",
    repeatability: Annotated[
        bool, typer.Option("--repeatability", help="Minimal detectable change from repeats, by site.")
    ] = False,
    by_site: Annotated[bool, typer.Option("--by-site", help="Each site by itself too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Evidence rows as CSV.")] = None,
) -> None:
    """Agreement of two sets of rows: bias, limits, ICC, coverage; or detectable change from repeats."""
    if repeatability:
        evidence = workflow("derived").repeatability_of(rows, against, across=across or "run", out=out)
    elif against is None:
        raise typer.BadParameter("give --against ROWS, or --repeatability")
    else:
        pair = {"across": across or "method,rater", "by_site": by_site, "out": out}
        evidence = workflow("verbs").validate_rows(rows, against, **pair)
    shown = ["about", "metric", "value", "low", "high", "n", "population", "verdict"]
    print_frame(evidence[shown])
    if out:
        print(f"{len(evidence)} evidence rows: {out}")


def validate_masks(
    mask: Annotated[Path, typer.Argument(help="Mask: NIfTI, or a label picture (PNG, TIFF).")],
    against: Annotated[Path, typer.Option(help="Reference mask on the same grid.")],
    labels: Annotated[str, typer.Option(help="Label scheme, or a CSV (label, site, side).")],
    spacing: Annotated[float | None, typer.Option(help="Pixel size of pictures, mm.")] = None,
    out: Annotated[Path | None, typer.Option(help="Evidence rows as CSV.")] = None,
) -> None:
    """Agreement of two masks, region by region: Dice, Hausdorff distance at 95 %, mean surface distance."""
    agree = workflow("masks_agree")
    evidence = agree.validate_masks(mask, against, labels=labels, spacing_mm=spacing, out=out)
    print_frame(evidence[["metric", "value", "population"]])
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
    print(f"report: {workflow('verbs').deliver(results, place, title=title)}")


def list_registry(
    kind: Annotated[
        str,
        typer.Argument(
            help="sources, phantoms, segmenters, measures, derivations, studies, checks, writers, templates."
        ),
    ],
) -> None:
    """What is registered, a line each."""
    if kind == "templates":
        study_list()
        return
    for name, target, caption in workflow("reading").registered(kind):
        print(f"{name:16s} {target:44s} {caption}")


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
    frames = workflow("reading").ask(sql, cohort, wide=wide, with_codebook=codebook, out=out)
    if out:
        print("\n".join(str(path) for path in frames))
        return
    for frame in frames.values():
        frame.to_csv(sys.stdout, index=False)
