"""`myoproof harmonise devices`: ultrasound values of one device carried to another's scale."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import Into
from myoproof.cli.printing import print_frame, workflow

commands = typer.Typer(
    no_args_is_help=True, help="Carry values of one ultrasound device to another's scale, with their doubt."
)
Cohort = Annotated[Path, typer.Option(help="Study folder, or folder of plain CSVs.")]
Rows = Annotated[Path | None, typer.Option(help="Rows (CSV or Parquet) instead of the cohort's own.")]


@commands.command("fit")
def fit(
    cohort: Cohort,
    reference: Annotated[str, typer.Option(help="Whose scale all values take: DEVICE/PRESET.")],
    out: Annotated[Path, typer.Option(help="The model, as JSON.")],
    by: Annotated[
        str,
        typer.Option(help="travelling (people scanned on both), controls (of each device), or phantom."),
    ] = "travelling",
    measures: Annotated[str, typer.Option(help="Measures, by commas.")] = "echogenicity",
    by_site: Annotated[
        bool, typer.Option("--by-site", help="A line a muscle instead of one for all.")
    ] = False,
    controls: Annotated[str, typer.Option(help="COLUMN=WORD of the subjects table.")] = "arm=control",
    calibration: Annotated[
        list[Path] | None, typer.Option(help="Phantom calibration (TOML or CSV), once a device.")
    ] = None,
    analysis_set: Annotated[str, typer.Option(help="Learn from this analysis set of subjects alone.")] = "",
    rows: Rows = None,
) -> None:
    """Learn lines between devices; refuses where device and disease cannot be told apart.

    Example: `myoproof harmonise devices fit --cohort study --reference device-a/muscle --out devices.json`
    """
    work = workflow("devices")
    named = tuple(part.strip() for part in measures.split(",") if part.strip())
    params = work.params_of(by, reference, named, controls, by_site=by_site)
    model, findings = work.fit_devices(
        cohort,
        out,
        params=params,
        calibration_paths=calibration or [],
        rows_path=rows,
        analysis_set=analysis_set,
    )
    for finding in findings:
        print(f"{finding.level}: {finding}")
    print_frame(work.summary(model).drop(columns="measure"), title=f"lines to {reference}, by {by}")
    print(f"next: myoproof harmonise devices apply {out} --cohort {cohort} --out carried.csv")


@commands.command("apply")
def apply(
    model: Annotated[Path, typer.Argument(help="A model that `harmonise devices fit` wrote.")],
    cohort: Cohort,
    out: Annotated[Path, typer.Option(help="Rows: .csv or .parquet; their method ends in :device_transfer.")],
    groups: Annotated[str, typer.Option(help="COLUMN=ILL,CONTROL: who is compared.")] = "arm=als,control",
    report: Annotated[Path | None, typer.Option(help="Before/after page (HTML).")] = None,
    evidence: Annotated[Path | None, typer.Option(help="Before/after rows (CSV).")] = None,
    into: Into = None,
    rows: Rows = None,
) -> None:
    """Carry rows to the reference device; a device without a line gives absent rows.

    Example: `myoproof harmonise devices apply devices.json --cohort study --out rows.csv --report page.html`
    """
    column, _, words = groups.partition("=")
    ill, _, well = words.partition(",")
    work = workflow("devices")
    done = work.apply_devices(
        model,
        cohort,
        work.Outputs(out, report, evidence, into),
        rows_path=rows,
        groups=(column.strip(), ill.strip(), well.strip()),
    )
    for finding in done.findings:
        print(f"{finding.level}: {finding}")
    print_frame(done.evidence[["metric", "population", "value", "low", "high"]])
    print(f"{len(done.rows)} rows: {', '.join(str(path) for path in done.written)}")
