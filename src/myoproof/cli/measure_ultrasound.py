"""`myoproof measure ultrasound`: images of a muscle become rows, unattended."""

from pathlib import Path
from typing import Annotated, Any

import typer

from myoproof.cli.options import Rows, SessionName, SubjectName
from myoproof.cli.printing import error_console, escape, progress, workflow


def measure_ultrasound(
    images: Annotated[
        list[Path], typer.Argument(help="Images or folders of images: DICOM, PNG, JPEG, TIFF, BMP, MP4, AVI.")
    ],
    muscle: Annotated[
        str,
        typer.Option(
            help="Muscle: vocabulary name, English name or abbreviation, e.g. `vastus_lateralis`, `VL`."
        ),
    ],
    out: Rows,
    view: Annotated[
        str, typer.Option(help="How the probe lay: longitudinal or transverse.")
    ] = "longitudinal",
    side: Annotated[str, typer.Option(help="Side of the body: left or right.")] = "",
    spacing: Annotated[
        float, typer.Option(help="Millimetres per pixel, where the file tells no scale.")
    ] = 0.0,
    depth: Annotated[float, typer.Option(help="Depth of the image in mm, as printed on it.")] = 0.0,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Lengths in pixels, whatever the file tells.")
    ] = False,
    subject: SubjectName = "",
    session: SessionName = "m00",
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0 takes all cores.")
    ] = 0,
) -> None:
    """Thickness, fascicle angle and length, aponeurosis angles, echogenicity: a row set per image.

    `run` is the file's name. An image that is refused gives a row without value and with its reason.
    Without a scale lengths are in pixels.

    Example: `myoproof measure ultrasound scans/ --muscle vastus_lateralis --out rows.csv`

    Research use only; not a medical device.
    """
    look: dict[str, Any] = {
        "muscle": muscle,
        "view": view,
        "side": side,
        "subject": subject,
        "session": session,
    }
    look |= {"spacing_mm": spacing or None, "depth_mm": depth or None, "pixels_only": pixels}
    with progress() as told:
        done = workflow("ultrasound_many").measure_images(images, look, out=out, jobs=jobs, progress=told)
    for run, why in done.faults.items():
        error_console.print(f"[bold red]unreadable:[/] {escape(run)}: {escape(why)}", soft_wrap=True)
    for run, reason in done.refused.items():
        error_console.print(f"[bold]refused:[/] {escape(run)}: {reason}", soft_wrap=True)
    for text, runs in _same(done.remarks).items():
        error_console.print(f"{escape(text)} ({_listed(runs)})", soft_wrap=True)
    print(f"{done.images} images, {len(done.refused)} refused, {len(done.faults)} unreadable")
    print(f"{len(done.rows)} rows: {out}")


def _same(remarks: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Remark to the runs it was made of."""
    found: dict[str, list[str]] = {}
    for run, texts in remarks.items():
        for text in texts:
            found.setdefault(text, []).append(run)
    return found


def _listed(runs: list[str]) -> str:
    return ", ".join(runs[:3]) + (f" and {len(runs) - 3} more" if len(runs) > 3 else "")
