"""Draw docs/img/echogenicity.png, norms.svg, devices.svg: regions, a norm with z-scores, a transfer."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from myoproof.core.acquisition import Picture
from myoproof.core.table import Table
from myoproof.delivery import devices as page
from myoproof.delivery.figures import MUTED, PALETTE, canvas, finish, style
from myoproof.evidence import devices as comparison
from myoproof.measures import devices, echogenicity, zscores, zscores_fit
from myoproof.measures.devices_types import Params
from myoproof.measures.echogenicity_params import CENTRAL_INSET
from myoproof.measures.echogenicity_regions import pixels_of, tissue_of
from myoproof.measures.zscores_norms import regression_of
from myoproof.numerics.norms import predict
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.phantoms.devices_us import simulate

mpl.use("Agg")
IMAGES = Path(__file__).resolve().parents[1] / "docs" / "img"
PLAIN = echogenicity.Params(texture=(), depth_slope_per_cm=0)


def regions() -> None:
    """A healthy and a diseased muscle: image with both rules, grey levels with mean and interval."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.2), dpi=100, layout="constrained", width_ratios=[1.5, 1])
    for line, severity, name in zip(axes, (0.0, 0.7), ("healthy", "severity 0.7"), strict=True):
        scan = frame(rng=np.random.default_rng(5), params=BmodeParams(view="transverse", severity=severity))
        picture = scan.acquisition.payload
        assert isinstance(picture, Picture)
        grey, outline = picture.pixels[0, :, :, 0], scan.segmentation.labels[0] == 2
        line[0].imshow(grey, cmap="gray", vmin=0, vmax=255)
        for rule, colour in (("whole", PALETTE[1]), ("central", PALETTE[0])):
            inside = pixels_of(outline, tissue_of(picture), rule, CENTRAL_INSET)
            line[0].contour(inside, [0.5], colors=[colour], linewidths=1.4)
        line[0].set_title(f"{scan.segmentation.names[2][0].replace('_', ' ')}, {name}", fontsize=10)
        line[0].set_axis_off()
        rows = echogenicity.measure(scan.acquisition, scan.segmentation, params=PLAIN)
        own = rows[(rows["measure"] == "echogenicity") & (rows["site"] == scan.segmentation.names[2][0])]
        inside = pixels_of(outline, tissue_of(picture), "whole", CENTRAL_INSET)
        line[1].hist(grey[inside], bins=np.arange(0, 257, 8), color="#c3cbd4", density=True)
        for row, colour in zip(own.to_dict("records"), (PALETTE[1], PALETTE[0]), strict=True):
            rule = row["method"].partition(":")[2]
            text = f"{rule}: {row['value']:.1f} ({row['low']:.1f} to {row['high']:.1f})"
            line[1].axvline(row["value"], color=colour, label=text)
            line[1].axvspan(row["low"], row["high"], color=colour, alpha=0.25, linewidth=0)
        line[1].legend(fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
        line[1].set_yticks([])
        line[1].set_xlabel("grey level")
        for side in ("top", "right", "left"):
            line[1].spines[side].set_visible(False)
    figure.suptitle("Simulated pictures; orange: whole, blue: central", fontsize=9)
    figure.canvas.draw()
    shown = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3])
    shown.quantize(128).save(IMAGES / "echogenicity.png", optimize=True)
    plt.close(figure)


def norms() -> None:
    """A norm over age with its prediction band, and patients' z with their intervals."""
    scene = simulate(rng=np.random.default_rng(8))
    cohort = scene.cohort
    people = cohort.subjects
    healthy = cohort.measurements["subject"].isin(people.loc[people["analysis_sets"] == "norm", "subject"])
    settings = zscores_fit.Params(
        terms=("age_years",),
        controls={"diagnosis": "healthy"},
        gain_sd_db={"": 1.5},
        dynamic_range_db={"": 60.0},
    )
    learnt = zscores_fit.learn(Table(cohort.measurements[healthy]), cohort, params=settings)
    norm = next(norm for norm in learnt.file.norms if norm.site == "biceps_brachii")
    ill = people[(people["analysis_sets"] == "clinic") & (people["arm"] == "als")]["subject"]
    rows = cohort.measurements[cohort.measurements["subject"].isin(ill)]
    rows = rows[rows["site"] == "biceps_brachii"]
    made = zscores.derive(Table(rows), cohort, params=zscores.Params((learnt.file,))).dropna(subset=["value"])
    chosen = made.sort_values("value").iloc[np.linspace(0, len(made) - 1, 14).astype(int)]
    age = people.set_index("subject")["age_years"]
    own = cohort.measurements[healthy & (cohort.measurements["site"] == "biceps_brachii")]
    grid = np.linspace(20, 80, 61)
    mean, variance = predict(regression_of(norm), np.column_stack([np.ones(61), grid]))
    band = np.sqrt(variance + norm.variance_between + norm.variance_within)
    title = "A norm and z-scores with their uncertainty"
    with style():
        figure, axes = canvas(3.6, columns=2)
        axes[0].fill_between(
            grid, mean - 1.96 * band, mean + 1.96 * band, color="#c3cbd4", alpha=0.6, linewidth=0
        )
        axes[0].plot(grid, mean, color=MUTED)
        axes[0].plot(
            own["subject"].map(age), own["value"], "o", color=PALETTE[0], markersize=3, label="controls"
        )
        grey = rows.set_index("subject")["value"]
        axes[0].plot(
            chosen["subject"].map(age),
            chosen["subject"].map(grey),
            "^",
            color=PALETTE[1],
            markersize=5,
            label="patients",
        )
        axes[0].set_xlabel("age, years")
        axes[0].set_ylabel("echogenicity, grey levels")
        axes[0].legend()
        places = np.arange(len(chosen))
        axes[1].hlines(places, chosen["low"], chosen["high"], color=PALETTE[1], linewidth=1.6)
        axes[1].plot(chosen["value"], places, "^", color=PALETTE[1], markersize=5)
        axes[1].axvline(2, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        axes[1].set_yticks([])
        axes[1].set_xlabel("z with 95 % interval (gain SD 1.5 dB of 60 dB)")
        alt = "Biceps echogenicity of controls over age with its prediction band; z of 14 patients."
        svg = finish(figure, key="norms", title=title, alt=alt, simulated=True)
    (IMAGES / "norms.svg").write_text(svg + "\n", encoding="utf-8")


def shift() -> None:
    """Scores by device before and after."""
    scene = simulate(rng=np.random.default_rng(3))
    cohort = scene.cohort
    people = cohort.subjects
    rows = {
        group: Table(
            cohort.measurements[
                cohort.measurements["subject"].isin(people.loc[people["analysis_sets"] == group, "subject"])
            ]
        )
        for group in ("clinic", "travelling")
    }
    model = devices.learn_devices(rows["travelling"], cohort, params=Params("travelling", "device-a/muscle"))[
        0
    ]
    moved = devices.take_over(rows["clinic"], cohort, model)
    before = devices.with_machines(rows["clinic"], cohort, Params(measures=model.measures))
    told = dict(zip(people["subject"], people["arm"] == "als", strict=True))
    compared = comparison.check(before, moved, told, reference=model.reference)
    change = page.Change(
        compared.evidence, compared.scores, devices.summary(model), model.reference, model.way, (), True
    )
    drawing = page.score_drawing(change)
    assert drawing is not None
    (IMAGES / "devices.svg").write_text(drawing.svg + "\n", encoding="utf-8")


def main() -> None:
    """Three pictures."""
    regions()
    norms()
    shift()


if __name__ == "__main__":
    main()
