"""Draw simulated training patches: fat, water and labels of both generators."""

import argparse
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

import generate
import plain
from train import HELD_OUT

mpl.use("Agg")
COLUMNS = 12


def main() -> None:
    """Upper half from the detailed generator, lower half from the plain one; front is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds the templates")
    parser.add_argument("target", type=Path)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    templates = generate.load(str(options.folder / "templates.npz"), held=False, only=HELD_OUT)
    maps = plain.load(options.folder / "plain_templates.npz", HELD_OUT, held=False)
    bank = generate.Bank(rng)
    drawn = [generate.sample(rng, templates, bank) for _ in range(COLUMNS)]
    drawn += [plain.sample(rng, maps) for _ in range(COLUMNS)]
    figure, axes = plt.subplots(6, COLUMNS, figsize=(COLUMNS * 0.9, 5.4), dpi=90)
    for number, (image, labels, _) in enumerate(drawn):
        half, column = divmod(number, COLUMNS)
        for row, part in enumerate((image[0], image[1])):
            axes[3 * half + row, column].imshow(part.T, origin="lower", cmap="gray", vmin=0, vmax=1)
        shown = np.ma.masked_equal(labels.T, 0)
        axes[3 * half + 2, column].imshow(
            shown, origin="lower", cmap="tab20", vmin=0, vmax=12, interpolation="nearest"
        )
    for panel in axes.flat:
        panel.set_axis_off()
    figure.subplots_adjust(0, 0, 1, 1, 0.02, 0.02)
    figure.savefig(options.target)


if __name__ == "__main__":
    main()
