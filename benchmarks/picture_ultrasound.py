"""Draw docs/img/ultrasound.png: muscles found on four simulated devices beside the true ones."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from myoproof.core.acquisition import Picture
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation import muscle_us

mpl.use("Agg")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "ultrasound.png"
SEEDS = (3, 2, 310, 4)


def main() -> None:
    """A panel a device."""
    figure, axes = plt.subplots(2, 2, figsize=(9.6, 7.2), dpi=80)
    for panel, seed, letter in zip(axes.flat, SEEDS, "abcd", strict=True):
        scan = frame(rng=np.random.default_rng(seed), params=BmodeParams(device=f"device-{letter}"))
        found = muscle_us.segment(scan.acquisition, site="vastus_lateralis")
        assert isinstance(scan.acquisition.payload, Picture)
        panel.imshow(scan.acquisition.payload.pixels[0, :, :, 0], cmap="gray", vmin=0, vmax=255)
        panel.contour(scan.segmentation.labels[0] == 2, [0.5], colors="white", linewidths=1.0, linestyles=":")
        panel.contour(found.labels[0] == muscle_us.FAT, [0.5], colors="gold", linewidths=1.0)
        panel.contour(found.labels[0] == muscle_us.MUSCLE, [0.5], colors="lime", linewidths=1.0)
        text = f"device-{letter}, simulated: confidence {found.confidence[muscle_us.MUSCLE]:.2f}"
        panel.text(8, 16, text, color="white", fontsize=9, backgroundcolor="black")
        panel.set_axis_off()
    figure.subplots_adjust(0, 0, 1, 1, 0.01, 0.01)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
