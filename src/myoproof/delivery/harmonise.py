"""Before and after harmonisation: each site's mean of each feature, in SD, beside the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from myoproof.delivery.figures import MARKERS, MUTED, PALETTE, Drawing, canvas, finish, style
from myoproof.delivery.naming import short_name, word
from myoproof.delivery.wording import number, sentence_case, size

SHOWN = 16
NAME_CHARACTERS = 48


@dataclass(frozen=True, slots=True)
class Change:
    """What the figure shows.

    Parameters
    ----------
    before, after : DataFrame
        Scans (one a subject) by features, NaN where missing.
    sites : (n,) array of text
        Site of each scan.
    expected_before, expected_after : (n, p) float64
        What the kept covariates explain; taken off before the sites are compared. Zeros without covariates.
    site_word : str
        ``centre`` or ``device``.
    simulated : bool
        Whether the data are simulated.
    """

    before: pd.DataFrame
    after: pd.DataFrame
    sites: npt.NDArray[np.str_]
    expected_before: npt.NDArray[np.float64]
    expected_after: npt.NDArray[np.float64]
    site_word: str = "centre"
    simulated: bool = False


def change_drawing(change: Change, *, key: str = "harmonisation") -> Drawing | None:
    """Site means before and after, of the features that the sites moved most.

    Parameters
    ----------
    change : Change
        Values and sites.
    key : str
        Of the figure.

    Returns
    -------
    Drawing or None
        None without a feature that varies.
    """
    unit = change.before.std(ddof=1)
    old = _means(change.before - change.expected_before, change.sites, unit)
    new = _means(change.after - change.expected_after, change.sites, unit)
    spread = (old.max() - old.min()).dropna()
    spread = spread[spread > 0]
    if spread.empty:
        return None
    order = list(spread.sort_values(ascending=False, kind="stable").index[:SHOWN])
    largest = [float((frame[order].max() - frame[order].min()).median()) for frame in (old, new)]
    title = f"Before and after: {word(change.site_word)} means"
    alt = (
        f"Median range of the {len(old)} {word(change.site_word)} means over {len(order)} features: "
        f"{number(largest[0], 2)} SD before, {number(largest[1], 2)} SD after harmonisation."
    )
    more = f" The {len(order)} of {len(spread)} features that differed most are drawn." * (
        len(spread) > len(order)
    )
    caption = (
        f"Mean of each {word(change.site_word)}, kept covariates taken off, less the mean of all, in SD of "
        f"the feature before; {size(len(change.before), 'subjects')}.{more}"
    )
    with style():
        height = 1.25 + 0.24 * len(order) + 0.16 * ((len(old) - 1) // 6)
        figure, axes = canvas(height, columns=2, sharex=True, sharey=True)
        for ax, frame, name in zip(axes, (old, new), ("Before", "After"), strict=True):
            _panel(ax, frame[order], name, change.sites)
        limit = 1.08 * float(np.nanmax(np.abs(np.concatenate([old[order], new[order]]))))
        axes[0].set_xlim(-limit, limit)
        axes[0].set_yticks(range(len(order)), [_label(name) for name in order])
        for ax in axes:
            ax.set_xlabel(f"{word(change.site_word)} mean less the mean of all, SD")
        axes[0].tick_params(axis="y", labelsize=7.8)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper center", ncols=min(len(labels), 6), handlelength=1.0
        )
        svg = finish(figure, key=key, title=title, alt=alt, simulated=change.simulated)
    return Drawing(key, title, caption, alt, svg)


def _label(name: str) -> str:
    parts = name.split("/")
    text = short_name("/".join(part for part in parts if "=" not in part))
    tail = [part.split("=", 1)[1] for part in parts if "=" in part]
    whole = sentence_case(", ".join([text, *tail]))
    return whole if len(whole) <= NAME_CHARACTERS else whole[: NAME_CHARACTERS - 1] + "…"


def _means(frame: pd.DataFrame, sites: npt.NDArray[np.str_], unit: pd.Series) -> pd.DataFrame:
    standard = (frame - frame.mean()) / unit.where(unit > 0)
    return standard.groupby(sites).mean()


def _panel(ax: Axes, means: pd.DataFrame, title: str, sites: npt.NDArray[np.str_]) -> None:
    places = np.arange(means.shape[1])
    low, high = means.min().to_numpy(), means.max().to_numpy()
    ax.hlines(places, low, high, color="#c3cbd4", linewidth=3.5, zorder=1)
    for k, (site, own) in enumerate(means.iterrows()):
        n = int((sites == site).sum())
        look: dict[str, Any] = {
            "color": PALETTE[k % len(PALETTE)],
            "marker": MARKERS[(k + k // len(PALETTE)) % len(MARKERS)],
        }
        ax.plot(own.to_numpy(), places, linestyle="none", label=f"{site}, {size(n)}", markersize=5.2, **look)
    ax.axvline(0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    ax.set_title(title)
    ax.set_ylim(means.shape[1] - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=True, axis="x")
