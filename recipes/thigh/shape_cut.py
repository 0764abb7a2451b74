"""Cut the label volumes into whole single thighs on one grid that runs straight along each leg."""

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from templates import MUSCLES, NEVER, SIZE, STEP_MM, UNIT_MM, _bone, _cut, _distance, subject_of

HELD_OUT = ("026", "061", "HV003", "119", "018", "045")
"""The people of train.py, whose anatomy is kept for validation and calibration."""
THIN_MM = 6.0
"""Of thinner slices every second one is taken."""


def thighs(labels: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """(side, labels[slice, row, column]): front to back, lateral to medial; axes were L, P, S."""
    columns = np.flatnonzero(labels.any(axis=(1, 2)))
    cut = columns[0] + _cut((labels > 0).sum(axis=(1, 2))[columns[0] : columns[-1] + 1])
    parts = (("right", labels[:cut]), ("left", labels[cut:][::-1]))
    return [(side, np.ascontiguousarray(part.transpose(2, 1, 0))) for side, part in parts]


def straight_centres(leg: np.ndarray) -> np.ndarray:
    """Middle of the labels of each slice, as a parabola along the leg."""
    seen = np.array([level.any() for level in leg])
    middles = np.zeros((len(leg), 2))
    for k in np.flatnonzero(seen):
        middles[k] = np.argwhere(leg[k] > 0).mean(axis=0)
    weight = np.sqrt(np.array([(level > 0).sum() for level in leg], dtype=float)) * seen
    t = np.arange(len(leg), dtype=float)
    fits = [np.polyfit(t, middles[:, axis], 2, w=weight) for axis in (0, 1)]
    return np.stack([np.polyval(fit, t) for fit in fits], axis=1)


def span(leg: np.ndarray, step: int) -> range:
    """Slices from one below the lowest label to one above the highest."""
    seen = np.flatnonzero(leg.any(axis=(1, 2)))
    return range(max(0, seen[0] - step), min(len(leg), seen[-1] + step + 1), step)


def distances(level: np.ndarray, centre: np.ndarray, spacing: float) -> tuple[np.ndarray, ...]:
    """Signed distances (mm, negative inside) of 11 muscles, of their hull, and the femur's place."""
    steps = (np.arange(SIZE) - (SIZE - 1) / 2) * STEP_MM / spacing
    grid = np.stack(np.meshgrid(centre[0] + steps, centre[1] + steps, indexing="ij"))
    window = ndimage.map_coordinates(level, grid, order=0, mode="constant")
    out = np.full((MUSCLES, SIZE, SIZE), 32.0, dtype=np.float32)
    for label in range(1, MUSCLES + 1):
        mask = window == label
        if mask.any():
            out[label - 1] = np.minimum(_distance(mask, STEP_MM), 32.0)
    return out, _distance(hull(window > 0), STEP_MM), _bone(out)


def hull(mask: np.ndarray) -> np.ndarray:
    """The convex hull of a mask."""
    points = np.argwhere(mask)
    try:
        equations = ConvexHull(points).equations
    except (QhullError, ValueError):
        return mask
    places = np.indices(mask.shape).reshape(2, -1)
    inside = (equations[:, :2] @ places + equations[:, 2:] <= 0.5).all(axis=0)
    return inside.reshape(mask.shape)


def main() -> None:
    """Write legs of all people; who is held out is decided by whoever reads them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path, help="folder of mri_thigh_labels")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    legs: dict[str, list] = {key: [] for key in ("sdf", "hull", "bone", "subject", "stack", "height_mm")}
    for number, path in enumerate(sorted(options.labels.rglob("*.nii.gz"))):
        subject = subject_of(path)
        if subject in NEVER:
            continue
        image = nib.load(path)
        if nib.aff2axcodes(image.affine) != ("L", "P", "S"):
            image = image.as_reoriented(
                nib.orientations.ornt_transform(
                    nib.io_orientation(image.affine), nib.orientations.axcodes2ornt("LPS")
                )
            )
        spacing = nib.affines.voxel_sizes(image.affine)
        labels = np.asarray(image.dataobj).astype(np.uint8)
        labels[labels > MUSCLES] = 0
        for side, leg in thighs(labels):
            centres = straight_centres(leg)
            for k in span(leg, 2 if spacing[2] < THIN_MM else 1):
                sdf, around, bone = distances(leg[k], centres[k], float(spacing[0]))
                legs["sdf"].append(np.clip(np.round(sdf / UNIT_MM), -127, 127).astype(np.int8))
                legs["hull"].append(np.clip(np.round(around / UNIT_MM * 0.5), -127, 127).astype(np.int8))
                legs["bone"].append(bone.astype(np.float32))
                legs["subject"].append(subject)
                legs["stack"].append(f"{number}{side}")
                legs["height_mm"].append(k * float(spacing[2]))
        print(path.name, subject, spacing.round(2), len(legs["sdf"]), flush=True)
    np.savez(options.out, **{key: np.array(value) for key, value in legs.items()})


if __name__ == "__main__":
    main()
