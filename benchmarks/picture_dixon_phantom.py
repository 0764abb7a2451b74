"""Draw docs/img/phantom-dixon.png: water, fat, fat fraction and the drawn mask of simulated thighs."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from myoproof.core.acquisition import Volume
from myoproof.phantoms.dixon import Phantom, ThighParams, thigh

mpl.use("Agg")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "phantom-dixon.png"
SLICES = (1, 4, 7, 10)
WINDOW = (slice(30, 200), slice(30, 190))
SEED = 4


def draw(scan: Phantom, rows: list[list[plt.Axes]]) -> None:
    """Fill two rows of panels: water or fat; the fat fraction with the true and the drawn outlines."""
    volume = scan.acquisition.payload
    assert isinstance(volume, Volume)
    fat, water = volume.channels["fat"], volume.channels["water"]
    for column, k in enumerate(SLICES):
        image = (water if column % 2 == 0 else fat)[WINDOW][:, :, k].T
        rows[0][column].imshow(image, origin="lower", cmap="gray", vmin=0, vmax=1250)
        ratio = np.where(fat + water > 150, fat / np.maximum(fat + water, 1), np.nan)[WINDOW][:, :, k].T
        rows[1][column].imshow(ratio, origin="lower", cmap="cividis", vmin=0, vmax=1)
        for mask, colour in ((scan.exact, "white"), (scan.segmentation, "red")):
            labels = mask.labels[WINDOW][:, :, k].T
            for label in range(1, 12):
                if (labels == label).any():
                    rows[1][column].contour(labels == label, [0.5], colors=colour, linewidths=0.6)
        rows[0][column].set_title(f"{'water' if column % 2 == 0 else 'fat'}, slice {k}", fontsize=8)


def main() -> None:
    """Two patterns, four slices each."""
    figure, axes = plt.subplots(4, len(SLICES), figsize=(9, 9.2), dpi=80, layout="constrained")
    for pair, pattern in enumerate(("als", "dystrophy")):
        scan = thigh(rng=np.random.default_rng(SEED), params=ThighParams(pattern=pattern, side="right"))
        draw(scan, [list(row) for row in axes[2 * pair : 2 * pair + 2]])
        axes[2 * pair, 0].set_ylabel(pattern)
        axes[2 * pair + 1, 0].set_ylabel("fat fraction")
    for panel in axes.flat:
        panel.set_xticks([])
        panel.set_yticks([])
    figure.canvas.draw()
    shown = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3])
    shown.quantize(128).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
