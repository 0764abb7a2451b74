"""The cohort flow diagram: how many took part at every step, and why the others did not."""

import re
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from myoproof.delivery.figures import BLUE, INK, MUTED, RULE, WASH, Drawing, canvas, finish, style, wrap
from myoproof.delivery.naming import (
    reason,
    word,
)
from myoproof.delivery.page import (
    pick,
    records,
)
from myoproof.delivery.wording import (
    sentence_case,
    size,
)

_STEP_WIDTH = 4.2
_SIDE_WIDTH = 3.6
_PITCH_IN = 0.6
_HALF_IN = 0.17


class Step(NamedTuple):
    """One step of the flow: what, how many reached it, how many left before it and why."""

    label: str
    n: int
    left: int
    why: str


def flow_drawing(
    estimates: pd.DataFrame, *, key: str, simulated: bool, analysis: str = "flow", title: str = "Cohort flow"
) -> Drawing | None:
    """The cohort flow of one study as a diagram in the manner of CONSORT.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows: term = step, value = n, group = reason for leaving.
    key : str
        Prefix of the figure's key.
    simulated : bool
        Whether the data are simulated.
    analysis : str
        Which rows are read.
    title : str
        Of the figure.

    Returns
    -------
    Drawing or None
        None when there are no such rows.
    """
    steps = flow_steps(estimates, analysis=analysis)
    if not steps:
        return None
    name = f"{key}-{analysis.replace('_', '-')}"
    told = [
        f"{step.label}: {size(step.n)}" + (f" ({step.left} left: {step.why})" if step.left else "")
        for step in steps
    ]
    alt = "; ".join(told) + "."
    caption = f"Subjects at every step, from {size(steps[0].n)} to {size(steps[-1].n)}."
    with style():
        figure, (ax,) = canvas(_PITCH_IN * len(steps) + 0.1)
        _draw(ax, steps)
        svg = finish(figure, key=name, title=title, alt=alt, simulated=simulated)
    return Drawing(name, title, caption, alt, svg)


def flow_steps(estimates: pd.DataFrame, *, analysis: str = "flow") -> list[Step]:
    """The steps of a flow, in stored order.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows.
    analysis : str
        Which rows are read.
    """
    steps: list[Step] = []
    for row in records(pick(estimates, analysis=analysis).dropna(subset=["value"])):
        n = int(row["value"])
        left = max(steps[-1].n - n, 0) if steps else 0
        why = reason(row["group"]) if row["group"] else "reason not recorded"
        steps.append(Step(sentence_case(_known(row["term"])), n, left, why if left else ""))
    return steps


def _known(text: str) -> str:
    opened = text.replace("_", " ")
    return re.sub(r"\b[a-z]+\b", lambda found: word(found[0]), opened)


def _draw(ax: Axes, steps: list[Step]) -> None:
    ax.set_axis_off()
    ax.set_xlim(0, _STEP_WIDTH + _SIDE_WIDTH + 0.6)
    ax.set_ylim(-_PITCH_IN * (len(steps) - 1) - 0.24, 0.24)
    middle = _STEP_WIDTH / 2
    for place, step in enumerate(steps):
        y = -_PITCH_IN * place
        _box(ax, (0, y), _STEP_WIDTH, f"{step.label}, {size(step.n)}", edge=BLUE, face="white")
        if place:
            arrow = {"arrowstyle": "-|>", "color": MUTED, "shrinkA": 0, "shrinkB": 0, "linewidth": 1}
            ax.annotate(
                "",
                xy=(middle, y + _HALF_IN + 0.02),
                xytext=(middle, y + _PITCH_IN - _HALF_IN - 0.02),
                arrowprops=arrow,
            )
        if step.left:
            between = y + _PITCH_IN / 2
            ax.plot([middle, _STEP_WIDTH + 0.6], [between, between], color=MUTED, linewidth=1)
            text = wrap(f"{size(step.left)} left: {step.why}", 50)
            _box(ax, (_STEP_WIDTH + 0.6, between), _SIDE_WIDTH, text, edge=RULE, face=WASH)


def _box(ax: Axes, corner: tuple[float, float], width: float, text: str, *, edge: str, face: str) -> None:
    x, y = corner
    rounded = "round,pad=0.02,rounding_size=0.06"
    shape = FancyBboxPatch(
        (x + 0.03, y - _HALF_IN),
        width - 0.06,
        2 * _HALF_IN,
        boxstyle=rounded,
        edgecolor=edge,
        facecolor=face,
        linewidth=1,
    )
    ax.add_patch(shape)
    ax.text(x + width / 2, y, text, ha="center", va="center", fontsize=8.5, color=INK, linespacing=1.3)
