"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer

Fat = Annotated[Path, typer.Option(help="Fat image (NIfTI).")]
Water = Annotated[Path, typer.Option(help="Water image (NIfTI), same grid.")]
Mask = Annotated[
    Path, typer.Option("--segmentation", help="Mask: NIfTI on the same grid, DICOM SEG or RTSTRUCT.")
]
Labels = Annotated[
    str,
    typer.Option(
        help="Label scheme: `huashan11` (usual), or a CSV label,site,side; SEG and RTSTRUCT name themselves."
    ),
]
Rows = Annotated[Path, typer.Option(help="Rows: .csv or .parquet.")]
Into = Annotated[Path | None, typer.Option(help="Study folder that the rows are added to.")]
SideBySide = Annotated[
    bool, typer.Option("--side-by-side", help="Add rows with side `both`, over the union of left and right.")
]
EchoTimes = Annotated[str, typer.Option(help="Echo times in ms, by commas, where no file tells them.")]
SubjectName = Annotated[str, typer.Option(help="Pseudonym of the subject.")]
SessionName = Annotated[str, typer.Option(help="Visit, for example m00.")]
RaterName = Annotated[str, typer.Option(help="Who or what drew the mask.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads; the answer is the same for any number.")]
CORES = os.cpu_count() or 1
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, help="Cores to use; the answer is the same for any number.")
]


def seconds(echo_times_ms: str) -> tuple[float, ...]:
    """Echo times in seconds from a text of milliseconds with commas.

    Raises
    ------
    BadParameter
        If a part is no number.

    Examples
    --------
    >>> seconds("1.15, 2.3")
    (0.00115, 0.0023)
    """
    try:
        return tuple(float(word) / 1e3 for word in echo_times_ms.split(",") if word.strip())
    except ValueError as fault:
        raise typer.BadParameter(
            f"--echo-times takes numbers in ms by commas, not {echo_times_ms!r}"
        ) from fault
