"""Draw docs/img/phantom-dixon.png: water, fat, fat fraction and the drawn mask of simulated thighs."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from myoproof.core.acquisition import Volume
from myoproof.phantoms.dixon import Phantom, ThighParams, thigh

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "phantom-dixon.png"
SLICES = (1, 4, 7, 10)
SEED = 4


def draw(scan: Phantom, rows: list[list[plt.Axes]]) -> None:
    """Fill two rows of panels: fat fraction map with the drawn outlines; water or fat."""
    volume = scan.acquisition.payload
    assert isinstance(volume, Volume)
    fat, water = volume.channels["fat"], volume.channels["water"]
    for column, k in enumerate(SLICES):
        drawn, true = scan.segmentation.labels[:, :, k].T, scan.exact.labels[:, :, k].T
        image = (water if column % 2 == 0 else fat)[:, :, k].T
        rows[0][column].imshow(image, origin="lower", cmap="gray", vmin=0, vmax=1250)
        ratio = np.where(fat + water > 150, fat / np.maximum(fat + water, 1), np.nan)[:, :, k].T
        rows[1][column].imshow(ratio, origin="lower", cmap="magma", vmin=0, vmax=1)
        for labels, colour in ((true, "white"), (drawn, "cyan")):
            for label in range(1, 12):
                if (labels == label).any():
                    rows[1][column].contour(labels == label, [0.5], colors=colour, linewidths=0.5)
        name = "water" if column % 2 == 0 else "fat"
        rows[0][column].set_title(f"{name}, slice {k}", fontsize=8)
        rows[1][column].set_title("fat fraction; true (white), drawn (cyan)", fontsize=8)


def main() -> None:
    """Two patterns, four slices each."""
    figure, axes = plt.subplots(4, len(SLICES), figsize=(9, 8.6), dpi=72)
    for pair, pattern in enumerate(("als", "dystrophy")):
        scan = thigh(rng=np.random.default_rng(SEED), params=ThighParams(pattern=pattern, side="right"))
        draw(scan, [list(row) for row in axes[2 * pair : 2 * pair + 2]])
        axes[2 * pair, 0].set_ylabel(pattern)
    for panel in axes.flat:
        panel.set_xticks([])
        panel.set_yticks([])
    figure.tight_layout(pad=0.4)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
