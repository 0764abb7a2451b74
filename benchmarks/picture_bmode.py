"""Draw docs/img/phantom-ultrasound.png: simulated B-mode pictures of each view, with their true outlines."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from myoproof.core.acquisition import Picture
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams

mpl.use("Agg")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "phantom-ultrasound.png"
PANELS = (
    ("vastus lateralis, device-a", 0, BmodeParams(depth_mm=45.0)),
    ("the same person, device-b", 0, BmodeParams(device="device-b", depth_mm=45.0)),
    ("the same, ALS severity 0.8", 0, BmodeParams(severity=0.8, depth_mm=45.0)),
    ("gastrocnemius, device-d", 3, BmodeParams(site="medial_gastrocnemius", device="device-d")),
    ("rectus femoris, across", 1, BmodeParams(view="transverse", site="rectus_femoris")),
    ("biceps, across, on a screen", 4, BmodeParams(view="transverse", screen=True)),
    ("median nerve at the wrist", 0, BmodeParams(view="nerve", site="median_wrist", depth_mm=20.0)),
    ("uniform phantom, device-c", 0, BmodeParams(view="reference", device="device-c")),
)
COLOURS = ("tab:orange", "tab:cyan", "tab:green")
OUTLINED = (1, 4, 6)


def main() -> None:
    """Eight panels; true outlines on three."""
    figure, axes = plt.subplots(2, 4, figsize=(14, 6.0), dpi=90, layout="constrained")
    for number, (panel, (title, seed, params)) in enumerate(zip(axes.flat, PANELS, strict=True)):
        scan = frame(rng=np.random.default_rng(seed), params=params)
        assert isinstance(scan.acquisition.payload, Picture)
        panel.imshow(scan.acquisition.payload.pixels[0, ..., 0], cmap="gray", vmin=0, vmax=255)
        if number in OUTLINED:
            labels = scan.segmentation.labels[0]
            for label in scan.segmentation.names:
                panel.contour(labels == label, [0.5], colors=COLOURS[label - 1], linewidths=0.9)
        panel.set_title(title, fontsize=10)
        panel.set_axis_off()
    figure.canvas.draw()
    shown = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3])
    shown.quantize(96).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
