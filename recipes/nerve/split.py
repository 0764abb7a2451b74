"""Held-out images by similarity: images that look alike, as frames of one sweep do, stay on one side."""

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

ALIKE = 0.94
"""Correlation from which two images are neighbours; single linkage joins neighbours of neighbours."""
SHARE = 0.2
SEED = 20261121
MOVES = 3
"""Small moves, in cells of an eighth of 256 pixels' 32 cells, over which the best correlation is taken."""


def similarity(images: np.ndarray) -> np.ndarray:
    """Best correlation of each pair over small moves and mirroring, shape (n, n); -1 on the diagonal."""
    small = np.stack([ndimage.gaussian_filter(one[:256].astype(np.float32), 4)[4::8, 4::8] for one in images])
    small = np.sqrt(small)
    best = np.full((len(images), len(images)), -1.0)
    for other in (small, small[:, :, ::-1]):
        for dy in range(-MOVES, MOVES + 1):
            for dx in range(-MOVES - 1, MOVES + 2):
                a = _unit(_part(small, dy, dx))
                b = _unit(_part(other, -dy, -dx))
                best = np.maximum(best, np.einsum("iyx,jyx->ij", a, b))
    best = np.maximum(best, best.T)
    np.fill_diagonal(best, -1)
    return best


def _part(images: np.ndarray, dy: int, dx: int) -> np.ndarray:
    rows, columns = images.shape[1:]
    return images[:, max(0, dy) : rows + min(0, dy), max(0, dx) : columns + min(0, dx)]


def _unit(images: np.ndarray) -> np.ndarray:
    centred = images - images.mean((1, 2), keepdims=True)
    return centred / np.sqrt((centred**2).sum((1, 2), keepdims=True))


def held_out(alike: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which images are held out (bool), and the cluster of each; whole clusters in random order."""
    apart = np.clip(1 - alike, 0, 2)
    np.fill_diagonal(apart, 0)
    clusters = fcluster(linkage(squareform(apart, checks=False), "single"), 1 - ALIKE, "distance")
    wanted = round(SHARE * len(alike))
    held = np.zeros(len(alike), dtype=bool)
    for cluster in rng.permutation(np.unique(clusters)):
        mine = clusters == cluster
        if held.sum() + mine.sum() <= wanted:
            held |= mine
    return held, clusters


def main() -> None:
    """Write split.npz beside the cache."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    data = np.load(options.cache)
    alike = similarity(data["x"])
    held, clusters = held_out(alike, np.random.default_rng(SEED))
    nearest = np.where(held[None, :], -1, alike)
    np.savez(
        options.target,
        held=held,
        clusters=clusters,
        nearest=nearest.argmax(1),
        alike=nearest.max(1),
        names=data["names"],
    )
    sizes = np.bincount(clusters)[1:]
    print(
        f"{len(sizes)} clusters, largest {sizes.max()}; held out {held.sum()} in {len(set(clusters[held]))}"
    )
    print("similarity of held-out to training", np.percentile(nearest.max(1)[held], [0, 25, 50, 75, 100]))
    print("held out:", *data["names"][held])


if __name__ == "__main__":
    main()
