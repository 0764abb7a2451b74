"""`myoproof measure derived`: groups, heterogeneity, asymmetry, fat volumes and heights of a scan."""

from typing import Annotated

import typer

from myoproof.cli.options import Fat, Into, Labels, Mask, RaterName, Rows, SessionName, SubjectName, Water
from myoproof.cli.printing import print_frame, workflow


def measure_derived(
    fat: Fat,
    water: Water,
    segmentation: Mask,
    out: Rows,
    labels: Labels = "",
    femur: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Heights of the femur's distal and proximal end, mm (world z, RAS+)."),
    ] = None,
    subject: SubjectName = "subject",
    session: SessionName = "m00",
    rater: RaterName = "drawn",
    into: Into = None,
) -> None:
    """Muscle groups, heterogeneity of fat, asymmetry, fat volumes, and rows at heights of the femur.

    Example: `myoproof measure derived --fat F.nii.gz --water W.nii.gz --segmentation M.nii.gz --femur -410 20
    --out derived.csv`
    """
    verbs = workflow("derived")
    files = verbs.DixonFiles(fat, water, segmentation, labels, subject, session, rater)
    rows = verbs.measure_derived(files, out=out, femur_mm=femur, into=into)
    print_frame(verbs.summary(rows), title="derived measures")
    print(f"{len(rows)} rows: {out}")
