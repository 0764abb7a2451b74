"""The thigh atlas: whole thighs brought into one pose, their mean and principal modes."""

import argparse
from pathlib import Path

import numpy as np
from myoproof.segmentation import thigh_shape as shape
from myoproof.segmentation import thigh_shape_fit as fitting
from scipy import ndimage

from shape_cut import HELD_OUT

UNIT_MM = 0.25
STEP_MM = 1.6
"""Of the legs of shape_cut.py."""
NODES = (17, 40, 40)
STEPS_MM = (25.0, 5.0, 5.0)
COARSE = (9, 20, 20)
"""Nodes of the modes."""
FIRST = "1right"
"""The leg the others are brought to at first: a long stack of thin slices."""
BEYOND_MM = 10.0
"""A leg tells nothing further than this from its slices."""


class Leg:
    """A thigh's soft signed distances, medial to lateral and back to front, upward."""

    def __init__(self, data: dict, rows: np.ndarray) -> None:
        own = data["sdf"][rows].astype(np.float32) * UNIT_MM
        turned = own.transpose(0, 1, 3, 2)[:, :, ::-1, ::-1]
        both = np.concatenate([_rest(turned), turned], axis=1)
        self.values = shape.soft(both)
        self.heights = data["height_mm"][rows].astype(float)
        self.subject = str(data["subject"][rows[0]])
        self.stack = str(data["stack"][rows[0]])

    def evidence(self) -> fitting.Evidence:
        """Its labels as a network that is never in doubt would give them."""
        places = (np.arange(112) - 55.5) * 2.0 / STEP_MM + (self.values.shape[2] - 1) / 2
        grid = np.stack(np.meshgrid(places, places, indexing="ij"))
        out = np.empty((len(self.values), 12, 112, 112), np.float32)
        for k, level in enumerate(self.values):
            for c in range(12):
                out[k, c] = ndimage.map_coordinates(level[c], grid, order=1, mode="nearest")
        best = out.argmin(axis=1)
        chance = np.stack(
            [ndimage.uniform_filter((best == c).astype(np.float32), (0, 3, 3)) for c in range(12)], 1
        )
        return fitting.Evidence(chance, chance[:, :2], self.heights, np.zeros((len(self.heights), 2)))

    def posed(self, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values at the atlas' nodes (height, across, deep, 12) and which heights the leg tells of."""
        t, u, v = ((np.arange(n) - (n - 1) / 2) * step for n, step in zip(NODES, STEPS_MM, strict=True))
        height = (t - pose[0]) * np.exp(pose[1])
        own = self.heights - (self.heights[0] + self.heights[-1]) / 2
        known = (height >= own[0] - BEYOND_MM) & (height <= own[-1] + BEYOND_MM)
        out = np.zeros((*NODES, 12), np.float32)
        level = np.interp(height, own, np.arange(own.size))
        for i in np.flatnonzero(known):
            x, y = _back(pose, height[i] / shape.REACH_MM, *np.meshgrid(u, v, indexing="ij"))
            middle = (self.values.shape[2] - 1) / 2
            places = np.stack([np.full(x.shape, level[i]), x / STEP_MM + middle, y / STEP_MM + middle])
            for c in range(12):
                out[i, :, :, c] = ndimage.map_coordinates(self.values[:, c], places, order=1, mode="nearest")
        return out, known


def _rest(turned: np.ndarray) -> np.ndarray:
    """Signed distance of what is no muscle: exact, so that muscles that touch leave none between them."""
    out = np.empty((len(turned), 1, *turned.shape[2:]), np.float32)
    for k, level in enumerate(turned):
        muscle = level.min(axis=0) < 0
        if not muscle.any():
            out[k, 0] = -32.0
            continue
        out[k, 0] = (
            np.where(
                muscle,
                ndimage.distance_transform_edt(muscle) - 0.5,
                0.5 - ndimage.distance_transform_edt(~muscle),
            )
            * STEP_MM
        )
    return out


def _back(pose: np.ndarray, z: float, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In-plane place in the leg of a place in the atlas, at one height."""
    size, turn = pose[8] + pose[9] * z, pose[11] + pose[12] * z
    b = v * np.exp(size - pose[10])
    a = u * np.exp(size + pose[10]) - pose[13] * b
    x = np.cos(turn) * a - np.sin(turn) * b + pose[2] + pose[3] * z + pose[4] * z**2
    y = np.sin(turn) * a + np.cos(turn) * b + pose[5] + pose[6] * z + pose[7] * z**2
    return x, y


def mean_of(posed: list[np.ndarray], known: list[np.ndarray], weight: np.ndarray) -> np.ndarray:
    """Mean over the legs that tell of a height; beyond all of them, the nearest height."""
    total = sum(w * k[:, None, None, None] * p for w, k, p in zip(weight, known, posed, strict=True))
    count = sum(w * k for w, k in zip(weight, known, strict=True))
    mean = total / np.maximum(count, 1e-9)[:, None, None, None]
    seen = np.flatnonzero(count > 1.0)
    return mean[np.clip(np.arange(NODES[0]), seen[0], seen[-1])].astype(np.float32)


def as_atlas(mean: np.ndarray, modes: np.ndarray | None = None) -> shape.Atlas:
    """An atlas from arrays (height, across, deep, 12[, mode])."""
    values = mean[..., None] if modes is None else np.concatenate([mean[..., None], modes], axis=-1)
    return shape.Atlas(values.reshape(-1, 12, values.shape[-1]).astype(np.float32), NODES, STEPS_MM)


def aligned(legs: list[Leg], targets: list, rounds: int) -> tuple[list[fitting.Fit], np.ndarray]:
    """Poses of all legs and their mean, brought together in a few rounds."""
    first = next(leg for leg in legs if leg.stack == FIRST)
    weight = weights_of(legs)
    posed, known = first.posed(np.zeros(len(shape.POSE)))
    mean = mean_of([posed], [known], np.array([2.0]))
    fits: list = [None] * len(legs)
    for turn in range(rounds):
        model = as_atlas(mean)
        for i, target in enumerate(targets):
            start = fitting.search(model, target)[0] if turn < 2 else fits[i]
            fits[i] = fitting.fit(model, target, start)
        middle = np.average([one.pose for one in fits], axis=0, weights=weight)
        middle[0] = 0.0
        poses = [one.pose - middle for one in fits]
        found = [leg.posed(pose) for leg, pose in zip(legs, poses, strict=True)]
        mean = mean_of([p for p, _ in found], [k for _, k in found], weight)
        costs = np.array([one.cost for one in fits])
        print(
            turn, "cost", costs.mean().round(1), "up", np.std([f.pose[0] for f in fits]).round(1), flush=True
        )
        fits = [
            fitting.Fit(pose, one.weights, one.shifts, one.cost)
            for pose, one in zip(poses, fits, strict=True)
        ]
    return fits, mean


def weights_of(legs: list[Leg]) -> np.ndarray:
    """Each person counts the same."""
    people = np.array([leg.subject for leg in legs])
    return np.array([1 / (people == own).sum() for own in people])


def modes_of(legs: list[Leg], fits: list, mean: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Principal modes (height, across, deep, 12, mode) of one standard deviation; gaps are filled in."""
    found = [leg.posed(one.pose) for leg, one in zip(legs, fits, strict=True)]
    known = np.stack([np.broadcast_to(k[:, None, None, None], p.shape) for p, k in found]).reshape(
        len(legs), -1
    )
    rows = np.stack([(p - mean).ravel() for p, _ in found])
    weight = np.sqrt(weights_of(legs) * len(legs) / weights_of(legs).sum())[:, None]
    rows = np.where(known, rows, 0.0).astype(np.float32)
    for _ in range(6):
        left, sizes, right = _pca(rows * weight)
        rebuilt = ((left[:, :count] * sizes[:count]) @ right[:count]) / weight
        rows = np.where(known, rows, rebuilt).astype(np.float32)
    variance = sizes**2
    print(
        "variance kept",
        (np.cumsum(variance) / variance.sum())[[3, 7, 11, 15, 19, min(23, sizes.size - 1)]].round(3),
    )
    modes = right[:count] * (sizes[:count, None] / np.sqrt(len(legs)))
    return np.moveaxis(modes.reshape(count, *mean.shape), 0, -1), variance


def _pca(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    square, left = np.linalg.eigh(rows.astype(np.float64) @ rows.T.astype(np.float64))
    order = np.argsort(square)[::-1]
    sizes, left = np.sqrt(np.maximum(square[order], 1e-9)), left[:, order]
    return left, sizes, (left.T.astype(np.float32) @ rows) / sizes[:, None].astype(np.float32)


def packed(mean: np.ndarray, modes: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of int8 for the package: the mean on all nodes, modes on fewer."""
    unit = shape.SOFT_MM / 127
    coarse = np.stack(
        [np.stack([_coarser(modes[..., c, j]) for c in range(12)]) for j in range(modes.shape[-1])]
    )
    units = np.abs(coarse).reshape(len(coarse), -1).max(axis=1) / 127
    stored = np.round(coarse / units[:, None, None, None, None]).astype(np.int8)
    return {
        "mean": np.round(np.moveaxis(mean, -1, 0) / unit).clip(-127, 127).astype(np.int8),
        "mean_unit": np.float32(unit),
        "modes": stored,
        "mode_units": units.astype(np.float32),
        "steps_mm": np.array(STEPS_MM),
    }


def _coarser(values: np.ndarray) -> np.ndarray:
    """Smoothed and sampled so that the corners stay where they are."""
    smooth = ndimage.gaussian_filter(
        values, [0.6 * (h - 1) / (w - 1) - 0.3 for w, h in zip(COARSE, NODES, strict=True)]
    )
    grid = np.meshgrid(*(np.linspace(0, h - 1, w) for w, h in zip(COARSE, NODES, strict=True)), indexing="ij")
    return ndimage.map_coordinates(smooth, np.stack(grid), order=1)


def read_legs(path: Path, *, held: bool) -> list[Leg]:
    """Legs of the people held out, or of the others."""
    data = dict(np.load(path))
    mine = np.isin(data["subject"], HELD_OUT) == held
    names = [name for name in dict.fromkeys(data["stack"].tolist()) if mine[data["stack"] == name].all()]
    legs = [Leg(data, np.flatnonzero(data["stack"] == name)) for name in names]
    return [leg for leg in legs if (leg.values[:, 1:].min(axis=(1, 2, 3)) < 0).sum() >= 6]


def main() -> None:
    """Write thigh_shape.npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("legs", type=Path, help="of shape_cut.py")
    parser.add_argument("out", type=Path)
    parser.add_argument("--modes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    legs = read_legs(options.legs, held=False)
    ones = np.ones((1, 1, 1), np.float32)
    targets = []
    for leg in legs:
        one = leg.evidence()
        targets.append(fitting.target_of(one, np.broadcast_to(ones, one.chance[:, 0].shape)))
    print(len(legs), "legs of", len({leg.subject for leg in legs}), "people", flush=True)
    fits, mean = aligned(legs, targets, options.rounds)
    modes, _ = modes_of(legs, fits, mean, options.modes)
    np.savez_compressed(options.out, **packed(mean, modes))
    poses = np.array([one.pose for one in fits])
    for (name, _), sd in zip(shape.POSE, poses.std(axis=0), strict=True):
        print(name, sd.round(3))
    print(options.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
