"""The report on a transfer between devices: scores before and after, areas, lines."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from myoproof.core.atomic import atomic_path
from myoproof.delivery.figures import MARKERS, MUTED, PALETTE, Drawing, canvas, finish, style
from myoproof.delivery.page import (
    Grid,
    Part,
    Section,
    Statement,
    count_column,
    interval_column,
    number_column,
    records,
    text_column,
)
from myoproof.delivery.report import Report, render
from myoproof.delivery.wording import number, size

KEY = "devices"


@dataclass(frozen=True, slots=True)
class Change:
    """What the page shows.

    Parameters
    ----------
    evidence : DataFrame
        Evidence rows of the comparison.
    scores : DataFrame
        ``subject, machine, ill, before, after``.
    lines : DataFrame
        A line a transfer.
    reference, way : str
        To which machine, learnt how.
    remarks : tuple of str
        What was left out, and why.
    simulated : bool
        Whether the data are simulated.
    """

    evidence: pd.DataFrame
    scores: pd.DataFrame
    lines: pd.DataFrame
    reference: str
    way: str
    remarks: tuple[str, ...] = ()
    simulated: bool = False


def write(change: Change, out: Path) -> Path:
    """Write the page as one HTML file.

    Parameters
    ----------
    change : Change
        What it shows.
    out : Path
        The file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    NotWritable
        If it cannot be written.
    """
    page = Report("Echogenicity carried between devices", change.simulated, ())
    text = render(page, [section(change)])
    with atomic_path(Path(out)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(out)


def section(change: Change) -> Section:
    """The part of a report on a transfer between devices.

    Parameters
    ----------
    change : Change
        What it shows.
    """
    parts: list[Part] = [*_statements(change)]
    drawing = score_drawing(change)
    parts += [drawing] if drawing else []
    parts += (
        [_areas(change.evidence), _lines(change.lines)] if len(change.evidence) else [_lines(change.lines)]
    )
    parts += list(change.remarks)
    question = f"What changes when values take the scale of {change.reference} (learnt by {change.way})?"
    return Section(KEY, "Before and after", tuple(parts), question)


def score_drawing(change: Change) -> Drawing | None:
    """Scores of people by device, ill and well, before and after.

    Parameters
    ----------
    change : Change
        Scores.

    Returns
    -------
    Drawing or None
        None without scores.
    """
    scores = change.scores
    if scores.empty:
        return None
    machines = [str(name) for name in sorted(set(scores["machine"]))]
    gaps = [_gap(scores, column, change.reference) for column in ("before", "after")]
    title = "Mean standardised value of a person, by device"
    alt = (
        f"Controls of other devices lie {number(gaps[0], 2)} SD from those of {change.reference} before and "
        f"{number(gaps[1], 2)} SD after; {size(len(scores), 'people')}."
    )
    caption = (
        f"Mean over muscles of (value - mean) / SD of the controls on {change.reference}; higher is worse. "
        f"Bars are means. {size(len(scores), 'people')}."
    )
    with style():
        figure, axes = canvas(1.4 + 0.5 * len(machines), columns=2, sharex=True, sharey=True)
        for ax, column in zip(axes, ("before", "after"), strict=True):
            _panel(ax, scores, column, machines)
        axes[0].set_yticks(range(len(machines)), machines)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2, handlelength=1.0)
        svg = finish(figure, key=KEY, title=title, alt=alt, simulated=change.simulated)
    return Drawing(KEY, title, caption, alt, svg)


def _panel(ax: Axes, scores: pd.DataFrame, column: str, machines: list[str]) -> None:
    for k, machine in enumerate(machines):
        for ill, colour, marker in ((False, PALETTE[0], MARKERS[0]), (True, PALETTE[1], MARKERS[1])):
            own = scores[(scores["machine"] == machine) & (scores["ill"] == ill)][column].to_numpy(
                dtype=np.float64
            )
            place = k + (0.18 if ill else -0.18)
            order = np.argsort(np.argsort(own))
            jitter = ((order * 7) % 11 - 5) / 60
            label = ("ill" if ill else "control") if k == 0 else None
            ax.plot(own, place + jitter, marker, color=colour, markersize=2.6, alpha=0.65, label=label)
            if len(own):
                ax.plot([own.mean()] * 2, [place - 0.16, place + 0.16], color=colour, linewidth=2.4)
    ax.axvline(0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    ax.set_title(column.capitalize())
    ax.set_ylim(len(machines) - 0.4, -0.6)
    ax.set_xlabel("SD of the reference's controls")
    ax.tick_params(axis="y", length=0)


def _gap(scores: pd.DataFrame, column: str, reference: str) -> float:
    well = scores[~scores["ill"]]
    other = well.loc[well["machine"] != reference, column].mean()
    return float(abs(other - well.loc[well["machine"] == reference, column].mean()))


def _statements(change: Change) -> list[Statement]:
    rows = change.evidence
    rows = rows[rows["population"].str.contains("all devices")] if len(rows) else rows
    told = {str(row["metric"]): row for row in records(rows)}
    if not {"AUC before", "AUC after"} <= set(told):
        return [Statement("No common area", "Ill people and controls are not both on every device.")]
    texts = [
        f"{number(row['value'], 2)} ({number(row['low'], 2)} to {number(row['high'], 2)})"
        for row in (told["AUC before"], told["AUC after"], told["AUC after less before"])
    ]
    text = f"AUC of the mean over muscles {texts[0]} before, {texts[1]} after; change {texts[2]}."
    return [Statement("Ill people against controls, all devices together", text)]


def _areas(evidence: pd.DataFrame) -> Grid:
    bounds = list(zip(evidence["low"], evidence["high"], strict=True))
    columns = (
        text_column("Population", evidence["population"].tolist()),
        text_column("Metric", evidence["metric"].tolist()),
        interval_column("Value (interval)", evidence["value"].tolist(), bounds),
        count_column("n", evidence["n"].tolist()),
    )
    return Grid(f"{KEY}-areas", "Before and after", columns, evidence)


def _lines(lines: pd.DataFrame) -> Grid:
    columns = (
        text_column("Device", lines["device"].tolist()),
        text_column("Muscle", [str(site).replace("_", " ") or "all" for site in lines["site"]]),
        number_column("Intercept", lines["intercept"].tolist()),
        number_column("Slope", lines["slope"].tolist(), decimals=3),
        number_column("SE of slope", lines["slope_se"].tolist(), decimals=3),
        number_column("Scatter, SD", lines["scatter_sd"].tolist(), decimals=2),
        count_column("Pairs", lines["n"].tolist()),
        count_column("People", lines["people"].tolist()),
    )
    return Grid(f"{KEY}-lines", "Lines to the reference device", columns, lines)
