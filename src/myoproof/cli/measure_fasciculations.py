"""`myoproof measure fasciculations`: a cine becomes a count, a rate and a row for each event."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import Rows, SessionName, SubjectName
from myoproof.cli.printing import error_console, escape, workflow


def measure_fasciculations(
    cine: Annotated[Path, typer.Argument(help="Cine: DICOM, AVI or MP4.")],
    muscle: Annotated[
        str,
        typer.Option(help="Muscle: vocabulary name, English name or abbreviation, e.g. `biceps_brachii`."),
    ],
    out: Rows,
    view: Annotated[
        str, typer.Option(help="How the probe lay: longitudinal or transverse.")
    ] = "longitudinal",
    side: Annotated[str, typer.Option(help="Side of the body: left or right.")] = "",
    rate: Annotated[float, typer.Option(help="Frames per second, where the file does not tell.")] = 0.0,
    spacing: Annotated[
        float, typer.Option(help="Millimetres per pixel, where the file tells no scale.")
    ] = 0.0,
    whole_view: Annotated[
        bool, typer.Option("--whole-view", help="Search the whole view, not only the muscle that is found.")
    ] = False,
    subject: SubjectName = "",
    session: SessionName = "m00",
) -> None:
    """Fasciculations: their count, their rate per 10 s, and time and frame of each peak.

    Movements in the rhythm of a pulse, shaking of the whole view, jumps of the probe and contractions are not
    counted; flags tell that they were there. Hold probe and limb still and record 10 s or more.

    Example: `myoproof measure fasciculations biceps.avi --muscle biceps --out rows.csv`

    Research use only; not a medical device.
    """
    module = workflow("fasciculation")
    clip = module.Clip(
        muscle=muscle,
        view=view,
        side=side,
        subject=subject,
        session=session,
        rate_hz=rate,
        spacing_mm=spacing or None,
        whole_view=whole_view,
    )
    done = module.measure_fasciculations(cine, clip, out=out)
    for finding in done.findings:
        error_console.print(f"{finding.level}: {escape(finding.message)}", soft_wrap=True)
    for row in done.rows.itertuples():
        text = f"{row.value:g} {row.unit}" if row.value == row.value else f"absent: {row.absent}"
        print(f"{row.site} {row.measure} {row.at} {text}".replace("  ", " "))
    print(f"{len(done.rows)} rows: {out}")
