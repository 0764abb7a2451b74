"""Draw docs/img/multiecho.png: maps of a simulated multi-echo scan, separated, beside what is true."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from PIL import Image

from myoproof.core.acquisition import Echoes
from myoproof.numerics.fatwater import separate
from myoproof.phantoms.dixon import ThighParams
from myoproof.phantoms.multiecho import MultiechoParams, thighs
from myoproof.phantoms.multiecho_physics import Physics

mpl.use("Agg")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "multiecho.png"
SEED = 4
SCAN = MultiechoParams(
    ThighParams(voxel_mm=1.5, matrix=(132, 124), n_slices=2, gap_mm=40.0),
    physics=Physics(field_hz=250.0, r2star_per_s=(25.0, 80.0)),
)


def main() -> None:
    """Four maps found, three of them beside the truth, of one slice of both thighs."""
    scan = thighs(rng=np.random.default_rng(SEED), params=SCAN)
    echoes = scan.acquisition.payload
    assert isinstance(echoes, Echoes)
    found = separate(echoes.values, echoes.echo_times_s, field_strength_t=3.0)
    body = found.confidence[:, :, 1] > 0
    figure, axes = plt.subplots(4, 2, figsize=(9, 9.6), dpi=90, layout="constrained")
    panels = (
        ("fat fraction of the signals", found.pdff, scan.maps.signal_fraction, "cividis", (0, 1)),
        ("R2*, 1/s", found.r2star, scan.maps.r2star, "viridis", (0, 150)),
        ("field, Hz", found.field_hz, scan.maps.field_hz, "RdBu_r", (-250, 250)),
    )
    for row, (name, values, true, colours, limits) in zip(axes, panels, strict=False):
        for panel, image, title in ((row[0], values, f"{name}, found"), (row[1], true, f"{name}, true")):
            show(figure, panel, np.where(body, image[:, :, 1], np.nan), (title, colours, limits))
    show(
        figure, axes[3, 0], np.where(body, found.confidence[:, :, 1], np.nan), ("confidence", "magma", (0, 1))
    )
    error = 100 * np.where(body, found.pdff[:, :, 1] - scan.maps.signal_fraction[:, :, 1], np.nan)
    show(figure, axes[3, 1], error, ("fat fraction, found less true, points", "RdBu_r", (-5, 5)))
    figure.suptitle("Simulated thighs: six echoes, SNR 50, dystrophy pattern", fontsize=10)
    figure.canvas.draw()
    shown = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3])
    shown.quantize(160).save(PICTURE, optimize=True)


def show(
    figure: plt.Figure,
    panel: plt.Axes,
    image: npt.NDArray[np.float64],
    look: tuple[str, str, tuple[float, float]],
) -> None:
    """One map with its colour bar."""
    title, colours, (low, high) = look
    drawn = panel.imshow(image.T, origin="lower", cmap=colours, vmin=low, vmax=high)
    figure.colorbar(drawn, ax=panel, shrink=0.85)
    panel.set_title(title, fontsize=8)
    panel.set_xticks([])
    panel.set_yticks([])


if __name__ == "__main__":
    main()
