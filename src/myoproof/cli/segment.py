"""`myoproof segment`: regions on a scan, drawn or found."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import CORES, Fat, Jobs, Labels, Mask, Water
from myoproof.cli.printing import escape, out_console, print_frame, progress, workflow

commands = typer.Typer(no_args_is_help=True, help="Find the regions of a scan, or check those drawn on it.")


@commands.command("drawn")
def segment_drawn(
    fat: Fat,
    water: Water,
    segmentation: Mask,
    labels: Labels = "",
    out: Annotated[Path | None, typer.Option(help="Findings as CSV.")] = None,
) -> None:
    """Check a drawn mask: islands, holes, empty labels, muscles cut by the stack or the field of view."""
    verbs = workflow("verbs")
    frame = verbs.mask_findings(verbs.DixonFiles(fat, water, segmentation, labels), out=out)
    print_frame(frame)
    print(f"{len(frame)} findings")


@commands.command("thigh")
def segment_thigh(
    out: Annotated[Path, typer.Option(help="Mask (NIfTI); tables and maps are written beside it.")],
    fat: Annotated[Path | None, typer.Option(help="Fat image (NIfTI).")] = None,
    water: Annotated[Path | None, typer.Option(help="Water image (NIfTI), same grid.")] = None,
    image: Annotated[Path | None, typer.Option(help="One image of any contrast instead.")] = None,
    propagate_from: Annotated[
        Path | None, typer.Option(help="Checked mask of the baseline visit, to be carried over.")
    ] = None,
    baseline: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Fat and water of the baseline visit.")
    ] = None,
    labels: Labels = "huashan11",
    anyway: Annotated[bool, typer.Option("--anyway", help="Also outside the training domain.")] = False,
    jobs: Jobs = CORES,
) -> None:
    """Eleven thigh muscles on each side, found by the network or carried over from a checked baseline.

    Example: `myoproof segment thigh --fat F.nii.gz --water W.nii.gz --out MASK.nii.gz`

    Research use only; look at every mask before you measure.
    """
    module = workflow("segment")
    acquisition = module.read_images(fat, water, image)
    with progress() as told:
        if propagate_from is None:
            frame = module.thigh_muscles(acquisition, out, threads=jobs, refuse=not anyway, progress=told)
        else:
            earlier = module.baseline(propagate_from, baseline, labels)
            frame = module.carry_over(earlier, acquisition, out, progress=told)
    print_frame(frame)
    print(f"mask: {out}")


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


@commands.command("external")
def segment_external(
    tool: Annotated[str, typer.Argument(help="`totalsegmentator` or `musclemap`, installed by you.")],
    image: Annotated[Path, typer.Option(help="Image (NIfTI); of a Dixon scan, the water or in-phase image.")],
    out: Annotated[Path, typer.Option(help="Mask (NIfTI); its label scheme is written beside it.")],
    executable: Annotated[str, typer.Option(help="The tool's program, where not on the PATH.")] = "",
    limit: Annotated[float, typer.Option(min=0.01, help="Minutes the tool may take.")] = 240.0,
    arguments: Annotated[
        list[str] | None, typer.Argument(help="What follows `--` is handed on to the tool.")
    ] = None,
) -> None:
    """Muscles found by a tool of others, run as its own program, with our names for its labels.

    Example: `myoproof segment external musclemap --image W.nii.gz --out MASK.nii.gz -- -s 50`
    """
    module = workflow("segment")
    for remark in module.remarks(tool):
        out_console.print(f"{tool}: {escape(remark)}", soft_wrap=True)
    more = {"executable": executable, "arguments": arguments or [], "limit_s": limit * 60}
    with progress() as told:
        frame, findings = module.by_others(tool, image, out, progress=told, **more)
    print_frame(frame)
    for finding in findings:
        out_console.print(f"{finding.level}: {escape(str(finding))}", soft_wrap=True)
    scheme = out.name.removesuffix(".gz").removesuffix(".nii") + ".labels.csv"
    print(f"mask: {out}; measure it with --labels {out.with_name(scheme)} --rater {tool}")
