"""Cut public thigh label volumes into single-thigh slices: signed distances on one canonical grid."""

import argparse
import multiprocessing
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
LEAST_AREA_MM2 = 300.0
"""Slices with less labelled area hold scraps at the ends of a reference mask."""
THIGH_MM = 300.0
"""Least length that the height of a slice, 0 at the lowest label and 1 at the highest, is told in."""
TAPER = 0.93
"""Below its widest slice a thigh is taken to narrow at most so much in TAPER_MM (proposal)."""
TAPER_MM = 24.0
KEYS = ("sdf", "hull", "bone", "seen", "subject", "stack", "level", "height", "step_mm")
THIN_MM = 10.0
"""Of stacks with thinner slices only every second or third is taken."""
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


def outlines(parts: dict[int, np.ndarray], step_mm: float) -> dict[int, np.ndarray]:
    """Corners of the whole thigh in each slice of a stack, where labels show only some of it.

    Above the widest slice the labels end one after the other, but the thigh goes on: the widest slice's
    hull is joined to what is labelled. Below, each hull is joined to that of the slice above, made smaller.
    """
    own = {k: _corners(np.argwhere(part > 0)) for k, part in parts.items()}
    widest = max(own, key=lambda k: _area(own[k]))
    out = {}
    for k in sorted(own):
        if k >= widest:
            out[k] = _corners(np.concatenate([own[k], own[widest]]))
    above = widest
    for k in sorted((k for k in own if k < widest), reverse=True):
        middle = out[above].mean(axis=0)
        smaller = middle + (out[above] - middle) * TAPER ** ((above - k) * step_mm / TAPER_MM)
        out[k] = _corners(np.concatenate([own[k], smaller]))
        above = k
    return out


def _corners(points: np.ndarray) -> np.ndarray:
    try:
        return points[ConvexHull(points).vertices].astype(float)
    except QhullError:
        return points.astype(float)


def _area(corners: np.ndarray) -> float:
    y, x = corners.T
    return 0.5 * abs(float(y @ np.roll(x, 1) - x @ np.roll(y, 1)))


def signed_distances(
    part: np.ndarray, corners: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Signed distances (mm, negative inside) of 11 muscles and the thigh, the femur's hole, the middle."""
    centre = (corners.min(axis=0) + corners.max(axis=0)) / 2.0
    half = SIZE * STEP_MM / 2 / spacing
    reach = int(np.ceil(half)) + 2
    padded = np.pad(part, ((reach, reach), (reach, 4 * reach)))
    origin = np.round(centre).astype(int)
    window = padded[origin[0] : origin[0] + 2 * reach + 1, origin[1] : origin[1] + 2 * reach + 1]
    steps = (np.arange(SIZE) - (SIZE - 1) / 2) * STEP_MM / spacing + reach
    grid = np.meshgrid(steps, steps, indexing="ij")
    out = np.empty((MUSCLES, SIZE, SIZE), dtype=np.float32)
    for label in range(1, MUSCLES + 1):
        mask = window == label
        out[label - 1] = _sample(_distance(mask, spacing), grid) if mask.any() else 32.0
    place = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1) - reach + origin
    hull = _polygon(place.reshape(-1, 2), corners).reshape(SIZE, SIZE) * spacing
    return out, hull.astype(np.float32), _bone(out), origin * spacing


def _polygon(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """About the signed distance to a convex polygon: the largest of its sides' distances."""
    try:
        equations = ConvexHull(corners).equations
    except QhullError:
        return np.full(len(places), 50.0)
    return (places @ equations[:, :2].T + equations[:, 2]).max(axis=1)


def _distance(mask: np.ndarray, spacing: float) -> np.ndarray:
    """Half a voxel is taken off either side, so that the outline lies between voxels."""
    outside = ndimage.distance_transform_edt(~mask)
    inside = ndimage.distance_transform_edt(mask)
    return (np.where(mask, -(inside - 0.5), outside - 0.5) * spacing).astype(np.float32)


def _sample(values: np.ndarray, grid: list[np.ndarray]) -> np.ndarray:
    return ndimage.map_coordinates(values, grid, order=1, mode="nearest")


def _bone(distance: np.ndarray) -> np.ndarray:
    """(row, column, radius) in mm of the hole that the vasti leave for the femur, from the grid's middle."""
    vasti = distance[[2, 3, 4]].min(axis=0)
    free = distance.min(axis=0)
    axis = (np.arange(SIZE) - (SIZE - 1) / 2) * STEP_MM
    best, score = np.array([0.0, 0.0, 12.0]), -1.0
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rows, columns = np.nonzero((free > 6) & (free < 30) & (vasti < 30))
    for row, column in zip(rows[::5], columns[::5], strict=True):
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


def bones(found: list[np.ndarray], middles: list[np.ndarray]) -> list[np.ndarray]:
    """Where a slice does not show the femur's place, that of the nearest slices of the stack."""
    seen = [i for i, bone in enumerate(found) if bone[2] > 0]
    out = []
    for i, own in enumerate(found):
        bone = own
        if own[2] <= 0 and seen:
            near = sorted(seen, key=lambda j: abs(j - i))[:3]
            place = np.mean([found[j][:2] + middles[j] for j in near], axis=0) - middles[i]
            bone = np.array([*place, -float(np.mean([found[j][2] for j in near]))])
        out.append(bone)
    return out


def main() -> None:
    """Write templates.npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path, help="folder of mri_thigh_labels")
    parser.add_argument("out", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with multiprocessing.Pool(options.processes) as workers:
        made = workers.map(of_file, sorted(options.labels.rglob("*.nii.gz")), chunksize=1)
    stacks = {key: [value for part in made for value in part[key]] for key in KEYS}
    np.savez(options.out, **{k: np.array(v) for k, v in stacks.items()})


def of_file(path: Path) -> dict[str, list]:
    """All slices of both thighs of one label volume."""
    stacks: dict[str, list] = {key: [] for key in KEYS}
    subject = subject_of(path)
    if subject in NEVER:
        return stacks
    image = nib.load(path)
    spacing = nib.affines.voxel_sizes(image.affine)
    labels = np.asarray(image.dataobj).astype(np.uint8)
    step = max(1, round(THIN_MM / float(spacing[2]))) if spacing[2] < THIN_MM else 1
    found = half_slices(labels, float(spacing[0]))
    for side in ("right", "left"):
        parts = {k: part for k, own, part in found if own == side and k % step == 0}
        if len(parts) >= 4:
            _add(stacks, parts, spacing, subject, path.name.split(".")[0] + side, step)
    print(path.name, subject, len(stacks["sdf"]), flush=True)
    return stacks


def _add(stacks: dict, parts: dict, spacing: np.ndarray, subject: str, name: str, step: int) -> None:
    """The slices of one thigh."""
    corners = outlines(parts, float(spacing[2]))
    low, high = min(parts), max(parts)
    length = max((high - low) * float(spacing[2]), THIGH_MM)
    made = {k: signed_distances(part, corners[k], float(spacing[0])) for k, part in parts.items()}
    order = sorted(made)
    holes = bones([made[k][2] for k in order], [made[k][3] for k in order])
    for k, bone in zip(order, holes, strict=True):
        distance, hull = made[k][:2]
        stacks["sdf"].append(np.clip(np.round(distance / UNIT_MM), -127, 127).astype(np.int8))
        stacks["hull"].append(np.clip(np.round(hull / UNIT_MM * 0.5), -127, 127).astype(np.int8))
        stacks["bone"].append(np.asarray(bone, np.float32))
        stacks["seen"].append(features(distance, hull))
        stacks["subject"].append(subject)
        stacks["stack"].append(name)
        stacks["level"].append(k // step)
        stacks["step_mm"].append(step * float(spacing[2]))
        stacks["height"].append((k - low) * float(spacing[2]) / length)


if __name__ == "__main__":
    main()
