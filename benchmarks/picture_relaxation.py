"""Draw docs/img/relaxation.png: water T2 of a simulated thigh, its SD, and muscles beside their truth."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from myoproof.core.acquisition import Echoes
from myoproof.measures.relaxation import Context, maps, measure
from myoproof.numerics.water_t2_mono import mono_exponential
from myoproof.phantoms.relaxation import RelaxationParams, thigh

mpl.use("Agg")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "relaxation.png"
SEED, SLICE = 6, 1
INK = "#222222"


def main() -> None:
    """Four maps of one slice, and the rows of the muscles against the truth."""
    params = RelaxationParams(n_slices=3, side="right")
    scan = thigh(rng=np.random.default_rng(SEED), params=params)
    echoes = scan.acquisition.payload
    assert isinstance(echoes, Echoes)
    context = Context(scan.dixon)
    found = maps(scan.acquisition, context=context).channels
    rows = measure(scan.acquisition, scan.segmentation, context=context)
    inside = np.isfinite(found["water_t2_ms"]) & (found["fat_share"] < 0.7)
    flat = echoes.values.reshape(-1, echoes.values.shape[3])
    mono = 1e3 * mono_exponential(flat, echoes.echo_times_s, noise_sd=17.0).reshape(echoes.shape)
    panels = (
        ("one exponential (ms)", np.where(inside, mono, np.nan), 25, 110, "cividis"),
        ("water T2 (ms)", np.where(inside, found["water_t2_ms"], np.nan), 25, 60, "cividis"),
        ("its standard deviation (ms)", np.where(inside, found["water_t2_sd_ms"], np.nan), 0, 10, "magma"),
        ("transmit field", np.where(inside, found["b1"], np.nan), 0.7, 1.2, "viridis"),
    )
    figure, axes = plt.subplots(
        1, 5, figsize=(12.5, 3.4), dpi=85, width_ratios=(1, 1, 1, 1, 1.5), layout="constrained"
    )
    window = np.argwhere(scan.exact.labels[..., SLICE] > 0)
    low, high = window.min(axis=0) - 4, window.max(axis=0) + 5
    part = (slice(low[0], high[0]), slice(low[1], high[1]))
    for panel, (title, image, least, most, colours) in zip(axes[:4], panels, strict=True):
        shown = panel.imshow(image[..., SLICE][part].T, origin="lower", cmap=colours, vmin=least, vmax=most)
        panel.contour(
            scan.exact.labels[..., SLICE][part].T, levels=np.arange(0.5, 12), colors="white", linewidths=0.3
        )
        panel.set_title(title, fontsize=9, color=INK)
        panel.set_axis_off()
        figure.colorbar(shown, ax=panel, orientation="horizontal", shrink=0.8).ax.tick_params(labelsize=7)
    draw_rows(axes[4], rows, scan.truth)
    figure.suptitle("Simulated thigh, 17 echoes, SNR 50, with a Dixon fat fraction", fontsize=9, color=INK)
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3])
    picture.quantize(160).save(PICTURE, optimize=True)


def draw_rows(panel: plt.Axes, rows: object, truth: object) -> None:
    """Each muscle's interval and its truth."""
    main = rows[(rows["at"] == "") & (rows["measure"] == "water_t2")].set_index("site")
    true = truth[(truth["at"] == "") & (truth["measure"] == "water_t2")].set_index("site")["value"]
    main = main.dropna(subset=["value"])
    place = np.arange(len(main))[::-1]
    sides = np.stack([main["value"] - main["low"], main["high"] - main["value"]])
    panel.errorbar(
        main["value"], place, xerr=sides, fmt="o", color="#1f5fa8", ms=4, lw=1.2, label="measured, 95 %"
    )
    panel.plot(true.reindex(main.index), place, "|", color="#c0392b", ms=11, mew=2, label="truth")
    panel.set_yticks(place, [name.replace("_", " ") for name in main.index], fontsize=7, color=INK)
    panel.tick_params(axis="x", labelsize=7)
    panel.set_xlabel("water T2 (ms)", fontsize=8, color=INK)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=7, frameon=False, loc="best")


if __name__ == "__main__":
    main()
