"""Draw docs/img/nerve.png: nerve and vessel found by the network on simulated nerves of another make."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from myoproof.core.acquisition import Picture
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation import nerve

mpl.use("Agg")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "nerve.png"
SCENES = (
    (50, "median_wrist", "device-a"),
    (53, "tibial_ankle", "device-a"),
    (55, "fibular_head", "device-c"),
)


def main() -> None:
    """Above the image, below it true outlines white, found ones red (nerve) and green (vessel)."""
    figure, axes = plt.subplots(2, len(SCENES), figsize=(9.6, 5.8), dpi=80)
    for column, (seed, site, device) in enumerate(SCENES):
        params = BmodeParams(view="nerve", site=site, device=device, shape=(480, 534))
        scan = frame(rng=np.random.default_rng(seed), params=params)
        picture = scan.acquisition.payload
        assert isinstance(picture, Picture)
        found = nerve.segment(scan.acquisition).labels[0]
        for row in range(2):
            panel = axes[row, column]
            panel.imshow(picture.pixels[0, ..., 0], cmap="gray", vmin=0, vmax=255)
            panel.set_axis_off()
        for labels, colours in ((scan.segmentation.labels[0], ("white", "white")), (found, ("red", "lime"))):
            for label, colour in enumerate(colours, start=1):
                if (labels == label).any():
                    axes[1, column].contour(labels == label, [0.5], colors=colour, linewidths=1.0)
    figure.subplots_adjust(0, 0, 1, 1, 0.01, 0.01)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
