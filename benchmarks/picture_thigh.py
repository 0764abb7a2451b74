"""Draw docs/img/thigh.png: muscles found by the network beside the true ones, on simulated thighs."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from myoproof.core.acquisition import Volume
from myoproof.phantoms import dixon
from myoproof.segmentation import thigh

mpl.use("Agg")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "thigh.png"
SEEDS = (7101, 7105)
LEVELS = (1, 3, 5)
PARAMS = dixon.ThighParams(pattern="dystrophy", matrix=(200, 184), n_slices=7, gap_mm=20.0)


def main() -> None:
    """One row a subject: fat above, water below; true outlines white, found ones red."""
    figure, axes = plt.subplots(4, len(LEVELS), figsize=(9.6, 6.4), dpi=80)
    for number, seed in enumerate(SEEDS):
        scan = dixon.bilateral(rng=np.random.default_rng(seed), params=PARAMS)
        found = thigh.segment(scan.acquisition, params=thigh.Params(refuse=False)).labels
        volume = scan.acquisition.payload
        assert isinstance(volume, Volume)
        for column, level in enumerate(LEVELS):
            for row, name in enumerate(("fat", "water")):
                panel = axes[2 * number + row, column]
                image = volume.channels[name][:, :, level].T
                panel.imshow(image, origin="lower", cmap="gray", vmin=0, vmax=np.percentile(image, 99.5))
                for labels, colour in ((scan.exact.labels, "white"), (found, "red")):
                    for label in range(1, 12):
                        mask = np.equal(labels[:, :, level].T, label)
                        if mask.any():
                            panel.contour(mask, [0.5], colors=colour, linewidths=0.6)
                panel.set_axis_off()
    figure.subplots_adjust(0, 0, 1, 1, 0.01, 0.01)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
