"""`myoproof measure`: a scan and its regions become rows."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import (
    Fat,
    Into,
    Labels,
    Mask,
    RaterName,
    Rows,
    SessionName,
    SideBySide,
    SubjectName,
    Water,
)
from myoproof.cli.printing import print_frame, workflow

commands = typer.Typer(no_args_is_help=True, help="Measure a scan: one row per muscle, side and measure.")


@commands.command("dixon")
def measure_dixon(
    fat: Fat,
    water: Water,
    segmentation: Mask,
    out: Rows,
    labels: Labels = "",
    side_by_side: SideBySide = False,
    qc: Annotated[Path | None, typer.Option(help="Quality-control picture (SVG).")] = None,
    subject: SubjectName = "subject",
    session: SessionName = "m00",
    rater: RaterName = "drawn",
    into: Into = None,
) -> None:
    """Fat fraction, area, volume and remaining muscle per muscle and side, each with its interval.

    Example: `myoproof measure dixon --fat F.nii.gz --water W.nii.gz --segmentation M.nii.gz --out rows.csv`
    """
    verbs = workflow("verbs")
    files = verbs.DixonFiles(fat, water, segmentation, labels, subject, session, rater)
    rows = verbs.measure_dixon(files, out=out, qc=qc, options={"side_by_side": side_by_side}, into=into)
    print_frame(verbs.dixon_summary(rows), title="fat fraction (95 % interval) and volume")
    print(f"{len(rows)} rows: {out}" + (f"\npicture: {qc}" if qc else ""))
