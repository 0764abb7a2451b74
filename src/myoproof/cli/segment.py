"""`myoproof segment`: regions on a scan, drawn or found."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import Fat, Labels, Mask, Water
from myoproof.cli.printing import print_frame, progress, workflow

commands = typer.Typer(no_args_is_help=True, help="Find the regions of a scan, or check those drawn on it.")


@commands.command("drawn")
def segment_drawn(
    fat: Fat,
    water: Water,
    segmentation: Mask,
    labels: Labels = "huashan11",
    out: Annotated[Path | None, typer.Option(help="Findings as CSV.")] = None,
) -> None:
    """Check a drawn mask: islands, holes, empty labels, muscles cut by the stack or the field of view."""
    verbs = workflow("verbs")
    frame = verbs.mask_findings(verbs.DixonFiles(fat, water, segmentation, labels), out=out)
    print_frame(frame)
    print(f"{len(frame)} findings")


@commands.command("tissue")
def segment_tissue(
    fat: Fat,
    water: Water,
    out: Annotated[Path, typer.Option(help="Mask (NIfTI); its label scheme is written beside it.")],
) -> None:
    """Subcutaneous fat, lean muscle, fat between muscles, bone and skin, without a network."""
    with progress() as told:
        sizes = workflow("tissue").segment(fat, water, out, progress=told)
    print_frame(sizes, title="compartments (both limbs, mL)")
    print(f"mask: {out}")
