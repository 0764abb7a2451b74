"""`myoproof measure relaxation`: water T2 of a scan's muscles."""

from pathlib import Path
from typing import Annotated, Any

import typer

from myoproof.cli.options import (
    CORES,
    EchoTimes,
    Into,
    Jobs,
    Labels,
    RaterName,
    Rows,
    SessionName,
    SubjectName,
    seconds,
)
from myoproof.cli.printing import print_frame, workflow


def measure_relaxation(
    echoes: Annotated[
        list[Path],
        typer.Argument(help="Multi-echo spin echoes: a BIDS or NIfTI folder, or NIfTI files with JSON."),
    ],
    segmentation: Annotated[
        Path, typer.Option(help="Mask: NIfTI, DICOM SEG or RTSTRUCT; a NIfTI mask may lie on another grid.")
    ],
    out: Rows,
    fat: Annotated[Path | None, typer.Option(help="Fat image of a Dixon scan, any grid ...")] = None,
    water: Annotated[Path | None, typer.Option(help="... and its water image.")] = None,
    fat_fraction: Annotated[Path | None, typer.Option(help="Or a fat fraction map.")] = None,
    b1: Annotated[
        Path | None, typer.Option(help="Transmit field map, 1 = nominal; else it is fitted.")
    ] = None,
    maps: Annotated[
        Path | None, typer.Option(help="Folder for maps of water T2, its SD, B1 and fat.")
    ] = None,
    labels: Labels = "",
    echo_times: EchoTimes = "",
    skip: Annotated[int, typer.Option(min=0, help="Leading echoes that are left out.")] = 0,
    fat_t2: Annotated[
        float | None, typer.Option(help="T2 of fat in ms; else found in subcutaneous fat, or 151.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="CSV of angles across the slice: excitation_deg, refocusing_deg.")
    ] = None,
    subject: SubjectName = "subject",
    session: SessionName = "m00",
    rater: RaterName = "drawn",
    jobs: Jobs = CORES,
    into: Into = None,
) -> None:
    """Water T2 per muscle, side and slice with its interval, fat separated by phase graphs.

    Example: `myoproof measure relaxation MESE.nii.gz --segmentation M.nii.gz --fat-fraction FF.nii.gz
    --out rows.csv`
    """
    verbs = workflow("relaxation")
    times = seconds(echo_times)
    files = verbs.RelaxationFiles(
        tuple(echoes), segmentation, labels, fat, water, fat_fraction, b1, profile, times,
        subject, session, rater,
    )  # fmt: skip
    options: dict[str, Any] = {"skip": skip}
    if fat_t2 is not None:
        options |= {"fat_t2_s": fat_t2 / 1e3, "calibrate_fat": False}
    rows = verbs.measure_relaxation(files, out=out, maps=maps, options=options, jobs=jobs, into=into)
    print_frame(verbs.summary(rows), title="water T2 in ms (95 % interval) and transmit field")
    told = "with" if fat or fat_fraction else "without"
    print(f"{len(rows)} rows, {told} a Dixon fat fraction: {out}" + (f"\nmaps: {maps}" if maps else ""))
