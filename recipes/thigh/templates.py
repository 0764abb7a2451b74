"""Cut public thigh label volumes into single-thigh slices: signed distances on one canonical grid."""

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

MUSCLES = 11
SIZE = 128
STEP_MM = 1.6
UNIT_MM = 0.25
"""One count of the stored int8 signed distance."""
LEAST_AREA_MM2 = 1500.0
"""Slices with less labelled area hold scraps at the ends of a reference mask."""
HELD_OUT = ("045", "049", "061", "112", "HV003")
"""Subjects kept for validation."""
NEVER = ("038",)
"""The public test patient Thigh_002 under another number; absent from the shared set, kept out for good."""
TOP_FEATURES = 32


def subject_of(path: Path) -> str:
    """Patient number of a file name, so that two masks of one patient stay together."""
    parts = path.name.split(".")[0].split("_")
    return parts[1] if parts[0] == "THIGH" else parts[0]


def half_slices(labels: np.ndarray, spacing: float) -> list[tuple[int, str, np.ndarray]]:
    """(slice, side, labels[row, column]) with lateral columns first; array axes are L, P, S."""
    out = []
    for k in range(labels.shape[2]):
        level = labels[:, :, k]
        columns = np.flatnonzero(level.any(axis=1))
        if columns.size < 40:
            continue
        counts = (level > 0).sum(axis=1)
        cut = _cut(counts)
        for side, part in (("right", level[:cut]), ("left", level[cut:][::-1])):
            if (part > 0).sum() * spacing**2 >= LEAST_AREA_MM2:
                out.append((k, side, np.ascontiguousarray(part.T)))
    return out


def _cut(counts: np.ndarray) -> int:
    """Column between the two thighs: the middle of the emptiest stretch between the two halves' centres."""
    x = np.arange(counts.size)
    middle = (x * counts).sum() / counts.sum()
    low = (x * counts)[x < middle].sum() / max(counts[x < middle].sum(), 1)
    high = (x * counts)[x >= middle].sum() / max(counts[x >= middle].sum(), 1)
    inner = np.arange(int(low), int(high) + 1)
    emptiest = inner[counts[inner] == counts[inner].min()]
    return int(np.median(emptiest))


def signed_distances(part: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signed distances (mm, negative inside) of 11 muscles, of the convex hull, and the labels' bone hole."""
    where = np.argwhere(part > 0)
    centre = (where.min(axis=0) + where.max(axis=0)) / 2.0
    half = SIZE * STEP_MM / 2 / spacing
    reach = int(np.ceil(half)) + 2
    padded = np.pad(part, reach)
    origin = np.round(centre).astype(int)
    window = padded[origin[0] : origin[0] + 2 * reach + 1, origin[1] : origin[1] + 2 * reach + 1]
    steps = (np.arange(SIZE) - (SIZE - 1) / 2) * STEP_MM / spacing + reach
    grid = np.meshgrid(steps, steps, indexing="ij")
    out = np.empty((MUSCLES, SIZE, SIZE), dtype=np.float32)
    for label in range(1, MUSCLES + 1):
        mask = window == label
        out[label - 1] = _sample(_distance(mask, spacing), grid) if mask.any() else 32.0
    hull = _sample(_distance(_hull(window > 0), spacing), grid)
    return out, hull, _bone(out)


def _distance(mask: np.ndarray, spacing: float) -> np.ndarray:
    """Half a voxel is taken off either side, so that the outline lies between voxels."""
    outside = ndimage.distance_transform_edt(~mask)
    inside = ndimage.distance_transform_edt(mask)
    return (np.where(mask, -(inside - 0.5), outside - 0.5) * spacing).astype(np.float32)


def _sample(values: np.ndarray, grid: list[np.ndarray]) -> np.ndarray:
    return ndimage.map_coordinates(values, grid, order=1, mode="nearest")


def _hull(mask: np.ndarray) -> np.ndarray:
    points = np.argwhere(mask)
    try:
        equations = ConvexHull(points).equations
    except QhullError:
        return mask
    y, x = np.indices(mask.shape)
    inside = np.ones(mask.shape, dtype=bool)
    for a, b, c in equations:
        inside &= a * y + b * x + c <= 0.5
    return inside


def _bone(distance: np.ndarray) -> np.ndarray:
    """(row, column, radius) in mm of the hole that the vasti leave for the femur, from the grid's middle."""
    vasti = distance[[2, 3, 4]].min(axis=0)
    free = distance.min(axis=0)
    axis = (np.arange(SIZE) - (SIZE - 1) / 2) * STEP_MM
    best, score = np.array([0.0, 0.0, 12.0]), -1.0
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rows, columns = np.nonzero((free > 6) & (free < 30) & (vasti < 30))
    for row, column in zip(rows[::2], columns[::2], strict=True):
        reach = free[row, column] + 5.0
        r = np.clip(np.round(row + np.sin(angles) * reach / STEP_MM).astype(int), 0, SIZE - 1)
        c = np.clip(np.round(column + np.cos(angles) * reach / STEP_MM).astype(int), 0, SIZE - 1)
        touched = (vasti[r, c] < 2).mean()
        value = touched * min(free[row, column], 16.0) ** 0.5
        if value > score:
            best, score = np.array([axis[row], axis[column], min(free[row, column], 24.0)]), value
    return best if score > 0.5 else np.array([best[0], best[1], 0.0])


def features(distance: np.ndarray, hull: np.ndarray) -> np.ndarray:
    """Which muscles lie where once the hull's size is taken out: to find neighbours of another subject."""
    inside = hull < 0
    scale = np.sqrt(inside.sum() * STEP_MM**2 / np.pi)
    centre = np.argwhere(inside).mean(axis=0)
    steps = np.linspace(-1.2, 1.2, TOP_FEATURES) * scale / STEP_MM
    grid = np.meshgrid(centre[0] + steps, centre[1] + steps, indexing="ij")
    best = distance.argmin(axis=0) + 1
    labels = np.where(distance.min(axis=0) < 0, best, 0)
    return ndimage.map_coordinates(labels, grid, order=0, mode="constant").astype(np.uint8)


def main() -> None:
    """Write templates.npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path, help="folder of mri_thigh_labels")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    stacks: dict[str, list] = {
        key: [] for key in ("sdf", "hull", "bone", "seen", "subject", "stack", "level")
    }
    for number, path in enumerate(sorted(options.labels.rglob("*.nii.gz"))):
        subject = subject_of(path)
        if subject in NEVER:
            continue
        image = nib.load(path)
        spacing = nib.affines.voxel_sizes(image.affine)
        labels = np.asarray(image.dataobj).astype(np.uint8)
        step = 2 if spacing[2] < 6 else 1
        for k, side, part in half_slices(labels, float(spacing[0])):
            if k % step:
                continue
            distance, hull, bone = signed_distances(part, float(spacing[0]))
            stacks["sdf"].append(np.clip(np.round(distance / UNIT_MM), -127, 127).astype(np.int8))
            stacks["hull"].append(np.clip(np.round(hull / UNIT_MM * 0.5), -127, 127).astype(np.int8))
            stacks["bone"].append(bone.astype(np.float32))
            stacks["seen"].append(features(distance, hull))
            stacks["subject"].append(subject)
            stacks["stack"].append(f"{number}{side}")
            stacks["level"].append(k // step)
        print(path.name, subject, len(stacks["sdf"]), flush=True)
    held = np.array([s in HELD_OUT for s in stacks["subject"]])
    np.savez(options.out, held=held, **{k: np.array(v) for k, v in stacks.items()})


if __name__ == "__main__":
    main()
