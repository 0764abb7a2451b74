"""What the shape gains on simulated legs of held-out people, with the network as it is and made worse."""

import argparse
from pathlib import Path

import numpy as np
from myoproof.segmentation import thigh_network as network
from myoproof.segmentation import thigh_shape_fuse as fusing
from myoproof.segmentation.thigh_shape_fit import Evidence

PAIRS = ((6, 10), (8, 9), (2, 4), (8, 11), (9, 10), (3, 4))
"""Neighbours that are confused."""
LEFT = 0.03
"""What is left of an erased muscle's probability."""
PART = 5
"""Slices of a part of a thigh."""
KINDS = ("as it is", "one muscle erased", "two muscles confused in half the slices", "five slices")


def silent(share: float) -> None:
    """Nobody is told."""


def changed(
    kind: str, chance: np.ndarray, fat: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    """The network's answer made worse, and the muscles meant; erased is one of the four fattiest."""
    out = chance.copy()
    if kind == KINDS[1]:
        label = 1 + int(rng.choice(np.argsort(fat)[-4:]))
        out[:, 0] += (1 - LEFT) * out[:, label]
        out[:, label] *= LEFT
        return out, [label]
    if kind == KINDS[2]:
        a, b = PAIRS[rng.integers(len(PAIRS))]
        half = slice(0, len(out) // 2) if rng.random() < 0.5 else slice(len(out) // 2, len(out))
        out[half, a], out[half, b] = chance[half, b], chance[half, a]
        return out, [a, b]
    return out, list(range(1, 12))


def dice(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of each muscle; NaN where it is in neither."""
    out = np.full(11, np.nan)
    for label in range(1, 12):
        mine, own = found == label, truth == label
        if mine.any() or own.any():
            out[label - 1] = 2 * (mine & own).sum() / (mine.sum() + own.sum())
    return out


def means(own: np.ndarray, meant: np.ndarray, fat: np.ndarray) -> tuple[float, float, float]:
    """Mean Dice of all muscles, of those meant, and of those above 50 % fat."""
    sick = own[fat > 0.5]
    return np.nanmean(own), np.nanmean(own[meant]), np.nanmean(sick) if np.isfinite(sick).any() else np.nan


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("legs", type=Path, help="of shape_legs.py")
    parser.add_argument("--every", type=int, default=1, help="leg of those with fat and water")
    options = parser.parse_args()
    data, rng = np.load(options.legs), np.random.default_rng(5)
    session = network.session(1)
    rows: dict[str, list] = {kind: [] for kind in KINDS}
    agreements = []
    for number in np.flatnonzero(~data["single"])[:: options.every]:
        own = slice(*data["start"][number : number + 2])
        images, truth = data["x"][own].astype(np.float32), data["y"][own]
        said = network.probabilities(session, images, moves=4, tell=silent)
        fat = data["fat"][number]
        for kind in KINDS:
            part = slice(0, PART) if kind == KINDS[3] else slice(None)
            if kind == KINDS[3] and len(truth) <= PART:
                continue
            chance, meant = changed(kind, said[part], fat, rng)
            leg = Evidence(chance, images[part], data["height_mm"][own][part], np.zeros((len(chance), 2)))
            fused = fusing.fuse([leg])[0]
            both = [dice(one.argmax(axis=1), truth[part]) for one in (chance, fused.chance)]
            rows[kind].append([means(one, np.array(meant) - 1, fat) for one in both])
            if kind == KINDS[0]:
                agreements.append(fused.agreement)
    print("kind | legs | mean Dice of all, of the muscles meant, of those above 50 % fat: network, both")
    for kind, found in rows.items():
        print(kind, "|", len(found), "|", *np.nanmean(found, axis=0).round(3))
    print("agreement, percentiles 0 5 50:", np.percentile(agreements, (0, 5, 50)).round(3))


if __name__ == "__main__":
    main()
