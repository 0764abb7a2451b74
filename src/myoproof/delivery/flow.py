"""The cohort flow diagram: how many took part at every step, and why the others did not."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from myoproof.delivery.figures import BLUE, INK, MUTED, RULE, WASH, Drawing, canvas, finish, style, wrap
from myoproof.delivery.page import pick
from myoproof.delivery.wording import sentence_case, size, word

_STEP_WIDTH = 4.2
_SIDE_WIDTH = 3.6


def flow_drawing(estimates: pd.DataFrame, *, key: str, simulated: bool) -> Drawing | None:
    """The cohort flow of one study as a diagram in the manner of CONSORT.

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows; those of analysis ``flow`` are read: term = step, value = n, group = reason for leaving.
    key : str
        Prefix of the figure's key.
    simulated : bool
        Whether the data are simulated.

    Returns
    -------
    Drawing or None
        None when there are no flow rows.
    """
    steps = flow_steps(estimates)
    if not steps:
        return None
    title = "Cohort flow"
    told = [f"{label}: {size(n)}" + (f" ({left} left: {reason})" if left else "") for label, n, left, reason in steps]
    alt = "; ".join(told) + "."
    caption = f"Subjects at every step, from {size(steps[0][1])} to {size(steps[-1][1])}."
    with style():
        pitch = 0.82
        figure, (ax,) = canvas(pitch * len(steps) + 0.1)
        _draw(ax, steps, pitch)
        svg = finish(figure, key=f"{key}-flow", title=title, alt=alt, simulated=simulated)
    return Drawing(f"{key}-flow", title, caption, alt, svg)


def flow_steps(estimates: pd.DataFrame) -> list[tuple[str, int, int, str]]:
    """Steps as (what, n, how many left before it, why).

    Parameters
    ----------
    estimates : DataFrame
        Estimate rows.
    """
    steps: list[tuple[str, int, int, str]] = []
    for row in pick(estimates, analysis="flow").itertuples():
        n = int(row.value)
        left = steps[-1][1] - n if steps else 0
        reason = word(row.group) if row.group else "reason not recorded"
        steps.append((sentence_case(word(row.term)), n, max(left, 0), reason if left > 0 else ""))
    return steps


def _draw(ax: Axes, steps: list[tuple[str, int, int, str]], pitch: float) -> None:
    ax.set_axis_off()
    ax.set_xlim(0, _STEP_WIDTH + _SIDE_WIDTH + 0.6)
    ax.set_ylim(-pitch * (len(steps) - 1) - 0.34, 0.34)
    for place, (label, n, left, reason) in enumerate(steps):
        y = -pitch * place
        _box(ax, (0, y), _STEP_WIDTH, f"{wrap(label, 52)}\n{size(n)}", edge=BLUE, face="white")
        if place:
            arrow = {"arrowstyle": "-|>", "color": MUTED, "shrinkA": 0, "shrinkB": 0, "linewidth": 1}
            middle = _STEP_WIDTH / 2
            ax.annotate("", xy=(middle, y + 0.27), xytext=(middle, y + pitch - 0.27), arrowprops=arrow)
        if left:
            between = y + pitch / 2
            ax.plot([_STEP_WIDTH / 2, _STEP_WIDTH + 0.6], [between, between], color=MUTED, linewidth=1)
            text = wrap(f"{size(left)} left: {reason}", 44)
            _box(ax, (_STEP_WIDTH + 0.6, between), _SIDE_WIDTH, text, edge=RULE, face=WASH)


def _box(ax: Axes, corner: tuple[float, float], width: float, text: str, *, edge: str, face: str) -> None:
    x, y = corner
    shape = FancyBboxPatch(
        (x + 0.03, y - 0.24), width - 0.06, 0.48, boxstyle="round,pad=0.02,rounding_size=0.06",
        edgecolor=edge, facecolor=face, linewidth=1,
    )  # fmt: skip
    ax.add_patch(shape)
    ax.text(x + width / 2, y, text, ha="center", va="center", fontsize=8.5, color=INK, linespacing=1.3)
