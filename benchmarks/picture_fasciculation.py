"""Draw docs/img/fasciculation.png: a simulated cine, its twitches, and what was found of them."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from myoproof.core.acquisition import Picture
from myoproof.measures.fasciculation import Params, events
from myoproof.numerics.motion import cells_within, track
from myoproof.numerics.motion_local import local_motion
from myoproof.phantoms.bmode_cine import CineParams, SimulatedCine, cine
from myoproof.phantoms.bmode_scene import BmodeParams

mpl.use("Agg")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "fasciculation.png"
SEED, RATE_HZ, CELL = 103, 30.0, 8
KINDS = {"pseudotremor": "tab:green", "slip": "tab:red", "contraction": "tab:purple"}


def main() -> None:
    """One development cine, three panels."""
    view = BmodeParams(shape=(240, 320), depth_mm=40.0, site="biceps_brachii", device="device-b")
    made = cine(rng=np.random.default_rng(SEED), params=CineParams(view=view))
    picture = made.acquisition.payload
    assert isinstance(picture, Picture)
    assert picture.tissue is not None
    assert picture.spacing_mm is not None
    inside = made.segmentation.labels[0] == 2
    found = [one for one in events(made.acquisition, inside) if one.score >= Params().twitch.threshold]
    motion = track(picture.pixels[..., 0], picture.tissue)
    path = local_motion(motion, cells_within(picture.tissue, motion.step.shape[1:3])).path
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.2), dpi=90, layout="constrained", width_ratios=(1, 1.4))
    axes[0].imshow(picture.pixels[0, ..., 0], cmap="gray", vmin=0, vmax=255)
    pixel = picture.spacing_mm[0]
    for number, event in enumerate(twitches(made), start=1):
        place = event.x_mm / pixel + 160, event.z_mm / pixel
        axes[0].plot(*place, "o", color="tab:orange", markersize=14, fillstyle="none", markeredgewidth=2)
        axes[0].annotate(str(number), place, color="tab:orange", xytext=(9, 9), textcoords="offset points")
    for one in found:
        axes[0].plot(CELL * (one.col + 0.5), CELL * (one.row + 0.5), "x", color="deepskyblue", markersize=9)
    axes[0].set_axis_off()
    courses(axes[1], made, path, found)
    figure.canvas.draw()
    shown = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3])
    shown.quantize(96).save(PICTURE, optimize=True)


def twitches(made: SimulatedCine) -> list:
    """True fasciculations."""
    return [event for event in made.events if event.kind == "fasciculation"]


def courses(panel: plt.Axes, made: SimulatedCine, path: np.ndarray, found: list) -> None:
    """Displacement of each found place along its way, disturbances shaded, true peaks marked."""
    times = np.arange(path.shape[0]) / RATE_HZ
    for event in made.events:
        if event.kind in KINDS:
            panel.axvspan(event.start_s, event.end_s, color=KINDS[event.kind], alpha=0.12)
            panel.text(event.start_s, -2.6, event.kind, color=KINDS[event.kind], fontsize=8)
    for number, event in enumerate(twitches(made), start=1):
        panel.axvline(event.peak_s, color="tab:orange", linewidth=1)
        panel.text(event.peak_s, 3.2 * len(found) + 0.5, str(number), color="tab:orange", ha="center")
    for place, one in enumerate(found):
        way = np.array([np.cos(np.radians(one.direction_deg)), -np.sin(np.radians(one.direction_deg))])
        course = path[:, one.row, one.col] @ way
        course = course - np.convolve(np.pad(course, 22, mode="edge"), np.ones(45) / 45, mode="valid")
        panel.plot(times, course + 3.2 * place, color="0.3", linewidth=0.8)
        panel.plot(
            one.frame / RATE_HZ, course[one.frame] + 3.2 * place, "x", color="deepskyblue", markersize=9
        )
    panel.set_ylim(-3.0, 3.2 * len(found) + 2.0)
    panel.set_xlabel("s")
    panel.set_yticks([])
    panel.set_xlim(0.0, times[-1])
    panel.set_ylabel("displacement of the places found")


if __name__ == "__main__":
    main()
