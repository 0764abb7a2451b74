"""Draw docs/img/architecture.png: fascicle directions and transverse outlines on simulated pictures."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from myoproof.core.acquisition import Picture
from myoproof.numerics.fascicles import dominant_angle
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation import muscle_us_transverse

mpl.use("Agg")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "architecture.png"


def longitudinal(panel: Axes, seed: int, device: str) -> None:
    """Lines at the angle found and, dotted, at the true one."""
    params = BmodeParams(device=device, site="medial_gastrocnemius")
    scan = frame(rng=np.random.default_rng(seed), params=params)
    assert isinstance(scan.acquisition.payload, Picture)
    image = scan.acquisition.payload.pixels[0, :, :, 0]
    region = scan.segmentation.labels[0] == 2
    fit = dominant_angle(image.astype(np.float32), region)
    angles = scan.rows.loc[scan.rows["measure"] == "fascicle_angle", "value"]
    true = float(angles.iloc[0]) * float(np.sign(fit.angle_deg))
    panel.imshow(image, cmap="gray", vmin=0, vmax=255)
    panel.contour(region, [0.5], colors="white", linewidths=0.8)
    middle = float(np.flatnonzero(region.any(axis=1)).mean())
    for shift in (-110, 0, 110):
        for angle, style in ((true, ":"), (fit.angle_deg, "-")):
            x = np.array([-120.0, 120.0]) + 256 + shift
            y = middle - np.tan(np.radians(angle)) * (x - 256 - shift)
            panel.plot(x, y, style, color="lime" if style == "-" else "white", linewidth=1.2)
    told = f"found {abs(fit.angle_deg):.1f}, true {abs(true):.1f} deg"
    panel.text(8, 16, told, color="white", fontsize=9, backgroundcolor="black")


def transverse(panel: Axes, seed: int, site: str) -> None:
    """Outlines found, and dotted the true ones."""
    scan = frame(rng=np.random.default_rng(seed), params=BmodeParams(view="transverse", site=site))
    assert isinstance(scan.acquisition.payload, Picture)
    found = muscle_us_transverse.segment(scan.acquisition, site=site)
    panel.imshow(scan.acquisition.payload.pixels[0, :, :, 0], cmap="gray", vmin=0, vmax=255)
    for label, colour in ((1, "gold"), (2, "lime"), (3, "deepskyblue")):
        for labels, style, pen in (
            (scan.segmentation.labels[0], ":", "white"),
            (found.labels[0], "-", colour),
        ):
            if (labels == label).any():
                panel.contour(labels == label, [0.5], colors=pen, linewidths=1.0, linestyles=style)
    told = f"{site}, simulated: confidence {found.confidence[2]:.2f}"
    panel.text(8, 16, told, color="white", fontsize=9, backgroundcolor="black")


def main() -> None:
    """Two longitudinal and two transverse panels."""
    figure, axes = plt.subplots(2, 2, figsize=(9.6, 7.2), dpi=80)
    longitudinal(axes[0, 0], 21, "device-a")
    longitudinal(axes[0, 1], 24, "device-c")
    transverse(axes[1, 0], 101, "biceps_brachii")
    transverse(axes[1, 1], 202, "rectus_femoris")
    for panel in axes.flat:
        panel.set_axis_off()
        panel.set_xlim(0, 511)
        panel.set_ylim(383, 0)
    figure.subplots_adjust(0, 0, 1, 1, 0.01, 0.01)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
