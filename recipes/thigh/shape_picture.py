"""Draw what the shape does: the mean thigh, and a simulated leg in which the network was made blind."""

import argparse
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from myoproof.segmentation import thigh_network as network
from myoproof.segmentation import thigh_shape as shape
from myoproof.segmentation import thigh_shape_fit as fitting
from myoproof.segmentation import thigh_shape_fuse as fusing

mpl.use("Agg")
BLIND = (6, 8)
"""Adductor magnus and the long head of biceps are taken from the network's answer."""
HEIGHTS_MM = np.linspace(-140, 110, 6)


def mean_thigh(height_mm: float) -> np.ndarray:
    """Labels of the mean thigh at a height."""
    steps = np.arange(-90.0, 91.0, 1.5)
    across, deep = np.meshgrid(steps, steps, indexing="ij")
    places = shape.Places(across.ravel(), deep.ravel(), np.full(across.size, height_mm))
    model = shape.atlas()
    found = shape.distances(model, places, np.zeros(len(shape.POSE)), np.zeros(model.modes))
    return found.argmin(axis=1).reshape(across.shape)


def silent(share: float) -> None:
    """Nobody is told."""


def show(panel: plt.Axes, labels: np.ndarray, under: np.ndarray | None = None) -> None:
    """Labels, over an image where there is one; front is up."""
    if under is not None:
        panel.imshow(under.T, origin="lower", cmap="gray", vmin=0, vmax=1)
    panel.imshow(
        np.ma.masked_equal(labels.T, 0), origin="lower", cmap="tab20", vmin=0, vmax=12,
        interpolation="nearest", alpha=1.0 if under is None else 0.65,
    )  # fmt: skip


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("legs", type=Path, help="of shape_legs.py")
    parser.add_argument("target", type=Path)
    parser.add_argument("--leg", type=int, default=0)
    options = parser.parse_args()
    data = np.load(options.legs)
    window = slice(18, 94)
    own = slice(*data["start"][options.leg : options.leg + 2])
    images, truth = data["x"][own].astype(np.float32), data["y"][own]
    chance = network.probabilities(network.session(1), images, moves=4, tell=silent)
    for label in BLIND:
        chance[:, 0] += 0.97 * chance[:, label]
        chance[:, label] *= 0.03
    leg = fitting.Evidence(chance, images, data["height_mm"][own], np.zeros((len(images), 2)))
    fused = fusing.fuse([leg])[0]
    print(
        "agreement", round(fused.agreement, 3), "used", fused.used, "fat", data["fat"][options.leg].round(2)
    )
    alone = fusing.shape_of(shape.atlas(), leg, fused.fit).argmax(axis=1)
    levels = np.linspace(1, len(images) - 3, 6).round().astype(int)
    figure, axes = plt.subplots(6, 6, figsize=(8.4, 8.6), dpi=72)
    for column, (level, height) in enumerate(zip(levels, HEIGHTS_MM, strict=True)):
        show(axes[0, column], mean_thigh(height))
        axes[1, column].imshow(
            images[level, 0][window, window].T, origin="lower", cmap="gray", vmin=0, vmax=1
        )
        rows = (truth, chance.argmax(axis=1), alone, fused.chance.argmax(axis=1))
        for row, labels in enumerate(rows, start=2):
            show(axes[row, column], labels[level][window, window], images[level, 0][window, window])
    names = ("mean thigh", "fat image", "truth", "network, blinded", "shape alone", "both")
    for row, name in enumerate(names):
        axes[row, 0].set_ylabel(name)
    for panel in axes.flat:
        panel.set_xticks([])
        panel.set_yticks([])
    figure.subplots_adjust(0.03, 0.005, 0.998, 0.998, 0.02, 0.02)
    figure.savefig(options.target)


if __name__ == "__main__":
    main()
