"""Show where a separation of an ISMRM 2012 challenge case differs from the winner's: table and picture.

Run ``python -m benchmarks.picture_ismrm CASE FOLDER`` (FOLDER holds CASE.mat and CASE_FattyRiot.png).
Pictures go to ``build/``: the challenge's licence does not let them be passed on.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.image import imread
from scipy import ndimage
from scipy.io import loadmat

from myoproof.numerics.fatwater import separate

LEAST_VOXELS = 20
NEAR = 24
"""Voxels shown around a cluster."""
TOLERANCE, LEAST_GREY = 0.1, 8
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Separate, compare, print the clusters and draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--echoes", type=int, default=0, help="only the first so many")
    options = parser.parse_args()
    held = loadmat(options.folder / f"{options.case}.mat")["imDataParams"][0, 0]
    mask = held["mask"] > 0
    fat, water = winner(options.folder / f"{options.case}_FattyRiot.png", mask.shape)
    echoes = options.echoes or held["images"].shape[-1]
    values, times = held["images"][:, :, :, 0, :echoes], held["TE"].ravel().astype(float)[:echoes]
    found = separate(values, times, field_strength_t=float(held["FieldStrength"][0, 0]))
    used = mask & (fat + water > LEAST_GREY)
    off = (distance(found.pdff, fat, water) > TOLERANCE) & used
    agree = 100 * (1 - off.sum() / used.sum())
    print(f"case {options.case}, {echoes} echoes: {agree:.2f} % of {used.sum()} voxels agree")
    labels, _ = ndimage.label(off, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())
    wide = [number for number in np.argsort(-sizes) if number and sizes[number] > LEAST_VOXELS]
    share = fat / np.maximum(fat + water, 1)
    for number in wide:
        inside = labels == number
        place = np.round(np.argwhere(inside).mean(axis=0)).astype(int)
        grey, theirs, ours = (np.median(part[inside]) for part in (fat + water, share, found.pdff))
        told = f"{sizes[number]:4d} voxels about {place.tolist()}: {grey:.0f} grey levels; winner"
        doubt = (
            f"{np.median(found.confidence[inside]):.2f}, flagged {100 * found.swap_risk[inside].mean():.0f} %"
        )
        print(f"{told} {100 * theirs:.0f} % fat, found {100 * ours:.0f} %; confidence {doubt}")
    if wide:
        out = ROOT / "build" / f"ismrm-{options.case}-{echoes}-echoes.png"
        draw(np.abs(values[..., 0]), share, found.pdff, [labels == number for number in wide], out)
        print(out)


def winner(path: Path, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Fat and water of the winner, 8 bit: slices side by side, fat above water."""
    picture = np.rint(255 * imread(path).astype(float))
    nx, ny, nz = shape
    fat, water = (part.reshape(nx, nz, ny).transpose(0, 2, 1) for part in (picture[:nx], picture[nx:]))
    return fat, water


def distance(pdff: np.ndarray, fat: np.ndarray, water: np.ndarray) -> np.ndarray:
    """Distance of fat fractions to the interval that 8-bit rounding allows the winner."""
    low = np.maximum(fat - 0.5, 0) / np.maximum(np.maximum(fat - 0.5, 0) + water + 0.5, 1e-9)
    high = (fat + 0.5) / np.maximum(fat + 0.5 + np.maximum(water - 0.5, 0), 1e-9)
    return np.maximum(0, np.maximum(low - pdff, pdff - high))


def draw(
    size: np.ndarray, share: np.ndarray, pdff: np.ndarray, clusters: list[np.ndarray], out: Path
) -> None:
    """One row a cluster: the whole slice, then around it magnitude, the winner's fat fraction and ours."""
    figure, axes = plt.subplots(len(clusters), 4, figsize=(11, 2.7 * len(clusters)), squeeze=False)
    for row, inside in zip(axes, clusters, strict=True):
        x, y, z = np.round(np.argwhere(inside).mean(axis=0)).astype(int)
        near = np.s_[max(x - NEAR, 0) : x + NEAR, max(y - NEAR, 0) : y + NEAR, z]
        shown = ((size[:, :, z], "gray", None), (size[near], "gray", None), (share[near], "viridis", 1.0))
        shown += ((pdff[near], "viridis", 1.0),)
        titles = (f"first echo, slice {z}", "first echo", "winner's fat fraction", "fat fraction found")
        for axis, (image, colours, top), title in zip(row, shown, titles, strict=True):
            axis.imshow(image, cmap=colours, vmin=0, vmax=top)
            outline = inside[:, :, z] if image.shape == inside.shape[:2] else inside[near]
            axis.contour(outline, [0.5], colors="tab:red", linewidths=0.9)
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
    figure.tight_layout()
    out.parent.mkdir(exist_ok=True)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
