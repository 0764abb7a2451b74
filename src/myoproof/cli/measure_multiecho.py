"""`myoproof measure multiecho`: proton-density fat fraction and R2* of a scan's muscles from its echoes."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import (
    CORES,
    EchoTimes,
    Into,
    Jobs,
    Labels,
    RaterName,
    SessionName,
    SideBySide,
    SubjectName,
    seconds,
)
from myoproof.cli.printing import print_frame, progress, workflow


def measure_multiecho(
    echoes: Annotated[
        list[Path],
        typer.Argument(help="Gradient echoes: a BIDS or NIfTI folder, or NIfTI files with JSON."),
    ],
    segmentation: Annotated[
        Path, typer.Option(help="Mask on the grid of the echoes: NIfTI, DICOM SEG or RTSTRUCT.")
    ],
    out: Annotated[Path, typer.Option(help="Rows: .csv or .parquet; the bias budget is written beside it.")],
    labels: Labels = "",
    b1: Annotated[
        Path | None, typer.Option(help="Transmit field map on the same grid, 1 = nominal angle.")
    ] = None,
    t1_water_ms: Annotated[
        float | None, typer.Option("--t1-water-ms", help="T1 of muscle water, in place of the published one.")
    ] = None,
    t1_fat_ms: Annotated[
        float | None, typer.Option("--t1-fat-ms", help="T1 of fat, in place of the published one.")
    ] = None,
    field_strength: Annotated[
        float | None, typer.Option(help="Field strength in tesla, where no sidecar tells it.")
    ] = None,
    repetition_time: Annotated[
        float | None, typer.Option(help="Repetition time in ms, where no sidecar tells it.")
    ] = None,
    flip_angle: Annotated[
        float | None, typer.Option(help="Flip angle in degrees, where no sidecar tells it.")
    ] = None,
    echo_times: EchoTimes = "",
    side_by_side: SideBySide = False,
    subject: SubjectName = "subject",
    session: SessionName = "m00",
    rater: RaterName = "drawn",
    jobs: Jobs = CORES,
    into: Into = None,
) -> None:
    """Proton-density fat fraction, R2*, area and volume per muscle, side and slice, each with its interval.

    Example: `myoproof measure multiecho mag.nii.gz phase.nii.gz --segmentation M.nii.gz --out rows.csv`
    """
    verbs = workflow("multiecho")
    known = {
        "field_strength_t": field_strength,
        "repetition_time_s": None if repetition_time is None else repetition_time / 1e3,
        "flip_angle_deg": flip_angle,
    }
    files = verbs.MultiechoFiles(
        echoes=tuple(echoes),
        segmentation=segmentation,
        labels=labels,
        b1=b1,
        echo_times_s=seconds(echo_times),
        settings={name: value for name, value in known.items() if value is not None},
        subject=subject,
        session=session,
        rater=rater,
    )
    options = {
        "side_by_side": side_by_side,
        "t1_water_s": None if t1_water_ms is None else t1_water_ms / 1e3,
        "t1_fat_s": None if t1_fat_ms is None else t1_fat_ms / 1e3,
    }
    with progress() as tell:
        found = verbs.measure_multiecho(files, out=out, options=options, jobs=jobs, into=into, progress=tell)
    for remark in found.remarks:
        print(f"note: {remark}")
    print_frame(verbs.summary(found.rows), title="fat fraction of protons (95 % interval), R2* and volume")
    print_frame(found.budget, title="bias budget of the scan, points of fat fraction at 10, 30 and 50 % fat")
    print(f"{len(found.rows)} rows: {out}")
