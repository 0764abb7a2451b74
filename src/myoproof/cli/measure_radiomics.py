"""`myoproof measure radiomics`: IBSI features of a scan's regions."""

from pathlib import Path
from typing import Annotated, Any

import typer

from myoproof.cli.options import CORES, Into, Jobs, Labels, RaterName, Rows, SessionName, SubjectName
from myoproof.cli.printing import print_frame, workflow


def measure_radiomics(
    segmentation: Annotated[Path, typer.Option(help="Mask on the same grid: NIfTI, DICOM SEG or RTSTRUCT.")],
    out: Rows,
    image: Annotated[Path | None, typer.Option(help="One image (NIfTI) of any contrast.")] = None,
    fat: Annotated[Path | None, typer.Option(help="Or the fat image (NIfTI) ...")] = None,
    water: Annotated[Path | None, typer.Option(help="... and the water image, same grid.")] = None,
    labels: Labels = "",
    channel: Annotated[
        str, typer.Option(help="`fat_fraction`, `fat` or `water`; of one image it is `image`.")
    ] = "",
    bins: Annotated[int, typer.Option(min=2, help="Grey levels of a region (fixed bin number).")] = 32,
    bin_width: Annotated[
        float | None, typer.Option(help="Width of a grey level instead (fixed bin size).")
    ] = None,
    bin_start: Annotated[
        float | None, typer.Option(help="Where the first bin of fixed width begins.")
    ] = None,
    intensity_range: Annotated[
        tuple[float, float] | None, typer.Option("--range", help="Values outside do not count.")
    ] = None,
    outlier_sd: Annotated[
        float | None, typer.Option(help="Nor do values this many SD from the region's mean.")
    ] = None,
    resample: Annotated[
        tuple[float, float] | None, typer.Option(help="Voxel size in plane and along slices, mm.")
    ] = None,
    aggregation: Annotated[
        list[str] | None,
        typer.Option(
            help="`2d_averaged`, `2d_slice_merged`, `2_5d_direction_merged`, `2_5d_merged` (the default), "
            "`3d_averaged` or `3d_merged`; may be repeated."
        ),
    ] = None,
    replicates: Annotated[
        int, typer.Option(min=0, help="Regions with a moved border that give the intervals; 0: none.")
    ] = 20,
    subject: SubjectName = "subject",
    session: SessionName = "m00",
    rater: RaterName = "drawn",
    jobs: Jobs = CORES,
    into: Into = None,
) -> None:
    """IBSI features of shape, intensity and texture per region, with every setting kept beside them.

    Example: `myoproof measure radiomics --fat F.nii.gz --water W.nii.gz --segmentation M.nii.gz --bin-width
    0.05 --bin-start 0 --out rows.csv`
    """
    verbs = workflow("radiomics")
    files = verbs.RadiomicsFiles(segmentation, labels, image, fat, water, subject, session, rater)
    options: dict[str, Any] = {"bins": bins, "bin_width": bin_width, "bin_start": bin_start}
    options |= {"intensity_range": intensity_range, "outlier_sd": outlier_sd, "resample_mm": resample}
    options |= {"replicates": replicates}
    options |= {"channel": channel} if channel else {}
    options |= {"aggregations": tuple(aggregation)} if aggregation else {}
    rows = verbs.measure_radiomics(files, out=out, options=options, jobs=jobs, into=into)
    print_frame(verbs.summary(rows), title="radiomics (IBSI features; units in the rows)")
    print(f"{len(rows)} rows: {out}; all settings: {out}.provenance.json")
