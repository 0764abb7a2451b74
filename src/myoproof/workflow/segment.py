"""Thigh muscles found or carried over, from files to files."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from myoproof.core.acquisition import Acquisition
from myoproof.core.contracts import Progress, silent
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import write_table
from myoproof.errors import Finding, InvalidInput
from myoproof.numerics.grids import voxel_volume_mm3
from myoproof.registry import load
from myoproof.segmentation import drawn, external, propagate, thigh
from myoproof.sources import nifti


@dataclass(frozen=True, slots=True)
class Baseline:
    """A checked mask of an earlier visit and the scan it was drawn on."""

    mask: Path
    fat: Path
    water: Path
    labels: str = thigh.SCHEME


def read_images(fat: Path | None, water: Path | None, image: Path | None) -> Acquisition:
    """Fat and water, or one contrast.

    Raises
    ------
    InvalidInput
        If neither or both are given.
    NotReadable
        If a file cannot be read.
    """
    if image is not None and fat is None and water is None:
        return nifti.read_image(image)
    if fat is not None and water is not None and image is None:
        return nifti.read(fat, water)
    raise InvalidInput("give --fat and --water, or --image", mend="one of the two ways")


def baseline(mask: Path, scan: tuple[Path, Path] | None, labels: str) -> Baseline:
    """The baseline of a propagation.

    Raises
    ------
    InvalidInput
        If the scan that the mask was drawn on is not given.
    """
    if scan is None:
        raise InvalidInput("a baseline mask needs its scan", mend="add --baseline FAT WATER")
    return Baseline(mask, *scan, labels)


def thigh_muscles(
    acquisition: Acquisition, out: Path, *, threads: int = 1, refuse: bool = True, progress: Progress = silent
) -> pd.DataFrame:
    """Find thigh muscles and write the mask, the certainty of each voxel and the confidence table.

    Parameters
    ----------
    acquisition : Acquisition
        From :func:`read_images`.
    out : Path
        The mask, ``NAME.nii.gz``; beside it ``NAME.confidence.csv`` and ``NAME.certainty.nii.gz``.
    threads : int
        Of the network.
    refuse : bool
        Whether a scan outside the training domain is refused.
    progress : callable
        Told of the share done.

    Returns
    -------
    DataFrame
        label, site, side, expected_dice, volume_ml, flags.

    Raises
    ------
    OutOfDomain, InvalidInput, NotWritable
        As :func:`myoproof.segmentation.thigh.find`, or if a file cannot be written.
    """
    params = thigh.Params(threads=threads, refuse=refuse)
    found = thigh.find(acquisition, params=params, progress=progress)
    segmentation = found.segmentation
    rows = [
        {
            "label": label,
            "site": segmentation.names[label][0],
            "side": side,
            "expected_dice": value,
            "flags": "outside_training_domain" if found.outside else "",
        }
        for (label, side), value in sorted(found.sides.items(), key=lambda item: (item[0][1], item[0][0]))
    ]
    frame = pd.DataFrame(rows, columns=["label", "site", "side", "expected_dice", "flags"])
    load("writers", "nifti")(segmentation.labels, segmentation.affine, out)
    load("writers", "nifti")(found.certainty, segmentation.affine, _beside(out, "certainty.nii.gz"))
    write_table(frame, _beside(out, "confidence.csv"))
    return frame


def carry_over(
    baseline: Baseline, acquisition: Acquisition, out: Path, *, progress: Progress = silent
) -> pd.DataFrame:
    """Carry a baseline mask to a follow-up scan; write the mask, the change map and the change table.

    Parameters
    ----------
    baseline : Baseline
        Mask and scan of the earlier visit.
    acquisition : Acquisition
        Fat and water of the later visit.
    out : Path
        The mask on the later grid, ``NAME.nii.gz``; beside it ``NAME.change.csv`` and
        ``NAME.fat_change.nii.gz`` (fat fraction later minus earlier within the muscles, fraction).
    progress : callable
        Told of the share done.

    Returns
    -------
    DataFrame
        A row a muscle and side: matched volumes (mL), their relative change, matched fat fractions, their
        change, and the agreement of the carried mask.

    Raises
    ------
    InvalidInput, NotReadable, NotWritable
        For faulty files.
    """
    earlier = nifti.read(baseline.fat, baseline.water)
    labels, affine = nifti.read_mask(baseline.mask)
    mask = drawn.segment(earlier, labels, affine, drawn.read_scheme(baseline.labels), rater="drawn")
    carried = propagate.propagate(earlier, mask, acquisition, progress=progress)
    frame = propagate.change(mask, carried)
    load("writers", "nifti")(carried.segmentation.labels, carried.segmentation.affine, out)
    difference = propagate.fat_change(acquisition, carried)
    load("writers", "nifti")(difference, carried.segmentation.affine, _beside(out, "fat_change.nii.gz"))
    write_table(frame, _beside(out, "change.csv"))
    return frame


def remarks(tool: str) -> tuple[str, ...]:
    """What the user of a segmenter of others should know: its licence, and what it sends.

    Raises
    ------
    UnknownName
        If there is no such tool.
    """
    return external.tool_named(tool).remarks


def by_others(
    tool: str,
    image: Path,
    out: Path,
    *,
    executable: str = "",
    arguments: Sequence[str] = (),
    limit_s: float = external.USUAL_LIMIT_S,
    progress: Progress = silent,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Let a segmenter of others find muscles; write its mask, and the label scheme in our words beside it.

    Parameters
    ----------
    tool : str
        ``totalsegmentator`` or ``musclemap``.
    image : Path
        NIfTI; the tool reads this file itself.
    out : Path
        The mask, ``NAME.nii.gz``; the scheme is ``NAME.labels.csv``.
    executable, arguments, limit_s, progress
        As :func:`myoproof.segmentation.external.run`.

    Returns
    -------
    DataFrame
        As :func:`write_regions`.
    list of Finding
        Labels that are not known.

    Raises
    ------
    UnknownName, MissingExtra, MyoproofError
        If the tool is not known, not there, or fails.
    NotReadable, InvalidInput, NotWritable
        If image or mask cannot be read, lie on different grids, or the mask cannot be written.
    """
    chosen = external.tool_named(tool)
    acquisition = nifti.read_image(image)
    with tempfile.TemporaryDirectory(prefix="myoproof-") as folder:
        mask = external.run(
            chosen,
            image,
            Path(folder),
            executable=executable,
            arguments=arguments,
            limit_s=limit_s,
            progress=progress,
        )
        labels, affine = nifti.read_mask(mask)
    names, findings = external.named(labels, drawn.read_scheme(chosen.scheme))
    segmentation = drawn.segment(acquisition, labels, affine, names, rater=chosen.name)
    return write_regions(segmentation, out), findings


def write_regions(segmentation: Segmentation, out: Path) -> pd.DataFrame:
    """Write a mask, and its label scheme beside it.

    Parameters
    ----------
    segmentation : Segmentation
        What was found.
    out : Path
        The mask, ``NAME.nii.gz``; the scheme is ``NAME.labels.csv``.

    Returns
    -------
    DataFrame
        label, site, side, voxels, volume_ml.

    Raises
    ------
    NotWritable
        If a file cannot be written.
    """
    load("writers", "nifti")(segmentation.labels, segmentation.affine, out)
    rows = [
        {"label": label, "site": site, "side": side} for label, (site, side) in segmentation.names.items()
    ]
    scheme = pd.DataFrame(rows, columns=["label", "site", "side"])
    write_table(scheme, _beside(out, "labels.csv"))
    voxel_ml = voxel_volume_mm3(segmentation.affine) / 1000
    voxels = [int((segmentation.labels == label).sum()) for label in segmentation.names]
    return scheme.assign(voxels=voxels, volume_ml=[count * voxel_ml for count in voxels])


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(f"{out.name.removesuffix('.gz').removesuffix('.nii')}.{ending}")
