"""`myoproof fatwater`: water, fat, fat fraction, R2*, field, precision and confidence from raw echoes."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import CORES, EchoTimes, Jobs, seconds
from myoproof.cli.printing import print_frame, progress, workflow


def fatwater(
    echoes: Annotated[
        list[Path],
        typer.Argument(help="ISMRM toolbox .mat, BIDS or NIfTI folder, or NIfTI files with JSON."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the maps.")],
    spectrum: Annotated[str, typer.Option(help="Fat spectrum: hamilton, ren, single.")] = "hamilton",
    precession: Annotated[
        str, typer.Option(help="find, +1 or -1: phase exp(+i 2 pi f t) counts as +1.")
    ] = "find",
    noise: Annotated[str, typer.Option(help="auto, phase or magnitude: how noise enters PDFF.")] = "auto",
    bipolar: Annotated[str, typer.Option(help="find, yes or no: readouts alternate.")] = "find",
    field_strength: Annotated[
        float | None, typer.Option(help="Field strength in tesla, where no file tells it.")
    ] = None,
    echo_times: EchoTimes = "",
    jobs: Jobs = CORES,
) -> None:
    """Separate fat and water: pdff (fraction, unclipped), r2star (1/s), field (Hz), sd, confidence as NIfTI.

    Example: `myoproof fatwater case.mat --out maps`
    """
    act = workflow("fatwater")
    options = act.FatWaterOptions(
        spectrum=spectrum,
        precession=precession,
        pdff=noise,
        bipolar=bipolar,
        echo_times_s=seconds(echo_times),
        settings={} if field_strength is None else {"field_strength_t": field_strength},
    )
    with progress() as tell:
        done = act.fatwater(echoes, out, options=options, jobs=jobs, progress=tell)
    for note in done.notes:
        print(f"note: {note}")
    print_frame(done.summary, title="fat-water separation")
    print_frame(done.budget, title="bias budget of the scan, points of fat fraction at 10, 30 and 50 % fat")
    print(f"{len(done.files)} files: {out}")
