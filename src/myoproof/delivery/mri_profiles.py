"""Profiles along the limb: area and fat fraction slice by slice, a panel a muscle, both sides together."""

import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from myoproof.delivery.figures import BLUE, MUTED, VERMILION, Drawing, canvas, finish, style
from myoproof.delivery.mri_rows import is_muscle
from myoproof.delivery.wording import sentence_case, series
from myoproof.vocabulary.lookup import label

LINES = {"right": (VERMILION, "--"), "left": (BLUE, "-"), "": (MUTED, "-"), "both": (MUTED, "-")}
"""Side -> colour and line: two ways to tell them apart."""
ACROSS = 4
WIDTH_IN, PANEL_IN = 10.4, 1.55
HEADROOM, LEAST_TOP = 1.2, 20.0
"""Fat fractions of all muscles share an axis that ends above the largest; bands may be cut."""
WHAT = {
    "fat_fraction": ("Fat fraction along the limb", "fat fraction (%)", 100.0),
    "cross_sectional_area": ("Area along the limb", "area (cm\u00b2)", 0.01),
}


def profile(
    table: pd.DataFrame, measure: str, heights_mm: npt.NDArray[np.float64], *, key: str, simulated: bool
) -> Drawing | None:
    """One measure of every muscle along the limb, with its intervals.

    Parameters
    ----------
    table : DataFrame
        Rows of a scan; those with ``at`` = ``slice:N`` of the main method are drawn.
    measure : str
        ``fat_fraction`` or ``cross_sectional_area``.
    heights_mm : ndarray, shape (slice,)
        Position of every slice.
    key : str
        Prefix of ids.
    simulated : bool
        Whether to write so into the picture.

    Returns
    -------
    Drawing or None
        None where no muscle is seen in two slices.
    """
    rows = table[(table["measure"] == measure) & table["at"].str.startswith("slice:")]
    rows = rows[~rows["method"].str.contains(":") & rows["value"].notna()]
    if (rows["side"] != "both").any():
        rows = rows[rows["side"] != "both"]
    rows = rows[rows["site"].map(is_muscle).astype(bool)]
    rows = rows.assign(level=rows["at"].str.removeprefix("slice:").astype(int))
    sites = [str(site) for site, part in rows.groupby("site", sort=False) if part["level"].nunique() > 1]
    if not sites:
        return None
    title, axis, scale = WHAT[measure]
    down = math.ceil(len(sites) / ACROSS)
    with style():
        height = PANEL_IN * down + 0.55
        figure, axes = canvas(height, width_in=WIDTH_IN, rows=down, columns=ACROSS, sharex=True)
        top = HEADROOM * scale * float(rows["value"].max())
        for place, ax in enumerate(axes):
            if place >= len(sites):
                ax.set_axis_off()
                continue
            _panel(ax, rows[rows["site"] == sites[place]], heights_mm, scale)
            ax.set_title(sentence_case(label("sites", sites[place])), fontsize=8.5, pad=4)
            ax.set_ylim(0, min(100.0, max(top, LEAST_TOP)) if measure == "fat_fraction" else None)
            ax.tick_params(labelsize=7.5)
        figure.supxlabel("position along the limb (mm)", fontsize=8.5)
        figure.supylabel(axis, fontsize=8.5)
        alt = f"{title} of {series([label('sites', site) for site in sites])}."
        svg = _numbered(finish(figure, key=key, title=title, alt=alt, simulated=simulated), key)
    caption = f"{_legend(sorted(set(rows['side'])))}; bands are the intervals of single slices."
    return Drawing(key, title, caption, alt, svg)


def _panel(ax: Axes, rows: pd.DataFrame, heights_mm: npt.NDArray[np.float64], scale: float) -> None:
    for side, part in rows.sort_values("level").groupby("side", sort=True):
        colour, line = LINES.get(str(side), LINES[""])
        x = heights_mm[part["level"].to_numpy()]
        value, low, high = (scale * part[name].to_numpy() for name in ("value", "low", "high"))
        ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        ax.plot(x, value, color=colour, linestyle=line, linewidth=1.4, marker="o", markersize=2.4)
    ax.grid(visible=True, axis="y")


def _numbered(svg: str, key: str) -> str:
    """Clip paths counted, not hashed: hashes rest on the last bit of the layout, nothing else does."""
    found = dict.fromkeys(re.findall(rf"{key}-p[0-9a-f]{{10}}", svg))
    for number, name in enumerate(found):
        svg = svg.replace(name, f"{key}-clip{number}")
    return svg


def _legend(sides: Sequence[str]) -> str:
    told = {"right": "right: orange, dashed", "left": "left: blue, solid"}
    known = [told[side] for side in ("left", "right") if side in sides]
    return sentence_case("; ".join(known)) if known else "Side not known"
