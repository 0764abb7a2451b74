"""`myoproof segment`: regions on a scan, drawn or found."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import Fat, Labels, Mask, Water
from myoproof.cli.printing import print_frame, workflow

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
