"""`myoproof run ultrasound`: whole folders of images, resumable; an image that fails stops no other."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import CORES, Jobs
from myoproof.cli.printing import error_console, escape, workflow
from myoproof.cli.run import QUARANTINED, commands, telling


@commands.command("ultrasound")
def run_ultrasound(
    source: Annotated[Path, typer.Argument(help="Folder of DICOM, PNG, JPEG, TIFF, BMP, MP4 or AVI.")],
    out: Annotated[Path, typer.Option(help="Study folder: new, or one to go on with.")],
    manifest: Annotated[
        Path | None,
        typer.Option(help="CSV: file, subject, session, day, muscle, side, view, device, preset, depth_mm."),
    ] = None,
    drawings: Annotated[
        Path | None, typer.Option(help="Folder with a folder of masks (PNG) for each reader.")
    ] = None,
    muscle: Annotated[str, typer.Option(help="Muscle or nerve where names do not say it.")] = "",
    side: Annotated[str, typer.Option(help="left or right, where names do not say it.")] = "",
    view: Annotated[
        str, typer.Option(help="longitudinal or transverse, where names do not say it.")
    ] = "longitudinal",
    skip_unclear: Annotated[
        bool, typer.Option("--skip-unclear", help="Leave out images whose names do not say what they show.")
    ] = False,
    spacing_mm: Annotated[
        float | None, typer.Option(min=0.001, help="Size of a pixel (mm) where files tell none.")
    ] = None,
    pixels: Annotated[bool, typer.Option("--pixels", help="Lengths in pixels whatever files tell.")] = False,
    images: Annotated[
        bool, typer.Option("--images", help="Keep cleaned images: all but the tissue black (derivatives/).")
    ] = False,
    simulated: Annotated[bool, typer.Option("--simulated", help="The images are simulated: say so.")] = False,
    jobs: Jobs = CORES,
    retry: Annotated[bool, typer.Option("--retry", help="Try quarantined muscles again.")] = False,
) -> None:
    """Every image of a folder: thickness, architecture, echogenicity, nerve area, fasciculations, one table.

    Images of one muscle of one visit are replicates: rows of each and of their mean. Stop it at any time and
    start it again with the same words: what is finished stays. Exit code 3: finished, but some muscles could
    not be measured; they are listed with the reason.
    """
    ultrasound = workflow("ultrasound_run")
    what = ultrasound.What(manifest, drawings, muscle, side, view, skip_unclear)
    options = ultrasound.Options(spacing_mm, pixels, images, simulated)
    how = ultrasound.How(jobs=jobs, retry=retry)
    with telling("looking for images") as tell:
        outcome = ultrasound.run(source, out, what=what, options=options, how=how, tell=tell)
    for note in outcome.notes:
        print(note)
    for name, lacks in outcome.unclear.items():
        print(f"left out: {name}: {lacks}")
    for name, why in outcome.doubtful.items():
        print(f"not to be passed on unseen: {name}: {why}")
    print(f"{outcome.done} muscles or nerves measured, {outcome.skipped} finished before: {out}")
    print(f"report: {outcome.report}")
    for key, reason in outcome.quarantined.items():
        error_console.print(f"[bold red]quarantined:[/] {escape(key)}: {escape(reason)}", soft_wrap=True)
    if outcome.quarantined:
        error_console.print("mend them and run again, or run again with --retry")
        raise typer.Exit(QUARANTINED)
