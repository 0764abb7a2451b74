"""`myoproof segment nerve`: nerve and vessel in ultrasound images, unattended."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import SessionName, SubjectName
from myoproof.cli.printing import error_console, escape, progress, workflow

SHOWN = 20
"""How many images a list names."""


def segment_nerve(
    images: Annotated[
        list[Path], typer.Argument(help="Images or folders of images: DICOM, PNG, JPEG, TIFF, BMP, MP4, AVI.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for a mask NAME.png of each image, and rows.csv.")],
    site: Annotated[str, typer.Option(help="Which nerve it is, for example `median_wrist`.")] = "nerve",
    side: Annotated[str, typer.Option(help="Side of the body: left or right.")] = "",
    spacing: Annotated[
        float, typer.Option(help="Millimetres per pixel, where the file tells no scale.")
    ] = 0.0,
    depth: Annotated[float, typer.Option(help="Depth of the image in mm, as printed on it.")] = 0.0,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Areas in pixels, whatever the file tells.")
    ] = False,
    subject: SubjectName = "",
    session: SessionName = "m00",
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0 takes all cores.")
    ] = 0,
) -> None:
    """Nerve (1) and vessel (2) as masks, their areas and the nerve's fascicle ratio as rows.

    Masks have the size of the image. An image that does not look like those the network was trained on is
    segmented all the same; its rows carry `outside_training_domain` and fail.

    Example: `myoproof segment nerve scans/ --out masks`

    Research use only; look at every mask before you use its area.
    """
    module = workflow("nerve")
    look = module.Look(
        site=site,
        side=side,
        subject=subject,
        session=session,
        spacing_mm=spacing or None,
        depth_mm=depth or None,
        pixels_only=pixels,
    )
    with progress() as told:
        done = module.segment_images(images, look, out=out, jobs=jobs, progress=told)
    for run, why in done.faults.items():
        error_console.print(f"[bold red]unreadable:[/] {escape(run)}: {escape(why)}", soft_wrap=True)
    for run, why in list(done.outside.items())[:SHOWN]:
        text = f"[bold]outside the training domain:[/] {escape(run)}: {escape(why)}"
        error_console.print(text, soft_wrap=True)
    if len(done.outside) > SHOWN:
        error_console.print(f"and {len(done.outside) - SHOWN} more; see rows.csv", soft_wrap=True)
    counts = f"{len(done.outside)} outside the training domain, {len(done.faults)} unreadable"
    print(f"{done.images} images, {counts}")
    print(f"{len(done.rows)} rows: {out / 'rows.csv'}")
