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
SubjectName = Annotated[str, typer.Option(help="Pseudonym of the subject.")]
SessionName = Annotated[str, typer.Option(help="Visit, for example m00.")]
RaterName = Annotated[str, typer.Option(help="Who or what drew the mask.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads; the answer is the same for any number.")]
CORES = os.cpu_count() or 1
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=1, help="Cores to use; the answer is the same for any number.")
]
