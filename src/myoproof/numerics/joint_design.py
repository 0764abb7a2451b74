"""Designs of a joint model at all the times that its likelihood asks for, and what makes one impossible."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, refuse
from myoproof.numerics.joint_likelihood import Block
from myoproof.numerics.joint_start import Moments, moments
from myoproof.numerics.joint_types import Design, Floats, JointForm, Repeated, Survival
from myoproof.numerics.quadrature import kronrod

STEP = 1e-3
"""Half step of the central differences that stand for a derivative that is not given, in units of time."""


def checked(rows: Repeated, survival: Survival, form: JointForm) -> tuple[Repeated, Survival]:
    """The same with every array of the right type; every fault told together.

    Parameters
    ----------
    rows, survival, form
        As given to :func:`myoproof.numerics.joint.fit_joint`.

    Raises
    ------
    InvalidInput
        For values that are not finite, subjects without rows, rows after the event, no events, events all at
        one time, entry after the end, designs without full rank, knots that leave an interval without event.
    """
    made = Survival(
        times=np.asarray(survival.times, dtype=np.float64),
        events=np.asarray(survival.events, dtype=np.bool_),
        covariates=_columns(survival.covariates, len(survival.times)),
        entry=np.zeros(len(survival.times)) if survival.entry is None else np.asarray(survival.entry, float),
        names=survival.names,
    )
    tall = Repeated(
        np.asarray(rows.values, dtype=np.float64),
        np.asarray(rows.times, dtype=np.float64),
        np.asarray(rows.subjects, dtype=np.intp),
    )
    where = "joint model"
    refuse(_shape_faults(tall, made), where=where)
    refuse([*_row_faults(tall, made), *_event_faults(tall, made, form)], where=where)
    refuse(_rank_faults(tall, made, form), where=where)
    return tall, made


def _columns(covariates: Floats | None, n: int) -> Floats:
    if covariates is None:
        return np.zeros((n, 0))
    table = np.asarray(covariates, dtype=np.float64)
    return table[:, None] if table.ndim == 1 else table


def _fault(category: str, message: str, mend: str = "") -> Finding:
    return Finding("error", category, message, mend=mend)


def _shape_faults(rows: Repeated, survival: Survival) -> Iterator[Finding]:
    n = survival.times.size
    columns = survival.covariates
    assert columns is not None
    assert survival.entry is not None
    if not rows.values.shape == rows.times.shape == rows.subjects.shape:
        yield _fault("shape", "values, times and subjects of the rows differ in length")
    if not survival.events.shape == survival.entry.shape == survival.times.shape or len(columns) != n:
        yield _fault("shape", "times, events, covariates and entry differ in length")
    if rows.subjects.size and (rows.subjects.min() < 0 or rows.subjects.max() >= n):
        yield _fault("shape", f"a row belongs to a subject outside 0 to {n - 1}")
    parts = (rows.values, rows.times, survival.times, survival.entry, columns)
    if not all(np.isfinite(part).all() for part in parts):
        yield _fault(
            "value", "a value, time or covariate is not finite", "leave such rows out and count them"
        )


def _places(which: npt.NDArray[np.bool_]) -> str:
    found = np.flatnonzero(which)
    return ", ".join(str(place) for place in found[:5]) + (" ..." if found.size > 5 else "")


def _row_faults(rows: Repeated, survival: Survival) -> Iterator[Finding]:
    seen = np.bincount(rows.subjects, minlength=survival.times.size)
    if (seen == 0).any():
        message = f"{int((seen == 0).sum())} subjects without measurements (places {_places(seen == 0)})"
        yield _fault("rows", message, "leave them out: the model needs a trajectory of each")
    late = survival.events[rows.subjects] & (rows.times > survival.times[rows.subjects] + 1e-9)
    if late.any():
        yield _fault("rows", f"{int(late.sum())} measurements after the event (rows {_places(late)})")
    if (rows.times < 0).any():
        yield _fault("rows", "a measurement before time zero", "count time from an origin before all rows")
    if seen.size and seen.max() < 2:
        yield _fault("rows", "no subject was measured twice", "a trajectory needs two measurements or more")
    elif rows.values.size and np.ptp(rows.values) == 0:
        yield _fault("rows", "all values are equal")


def _event_faults(rows: Repeated, survival: Survival, form: JointForm) -> Iterator[Finding]:
    del rows
    seen = survival.times[survival.events]
    assert survival.entry is not None
    if (survival.times <= survival.entry).any() or (survival.entry < 0).any():
        wrong = (survival.times <= survival.entry) | (survival.entry < 0)
        message = f"follow-up that ends at or before its start (places {_places(wrong)})"
        yield _fault("time", message, "leave out who was not followed")
    if seen.size == 0:
        yield _fault("events", "no events", "without an event the hazard cannot be estimated")
        return
    if np.ptp(seen) == 0 and form.knots is None and form.n_knots > 0:
        yield _fault("events", f"all {seen.size} events at one time ({seen[0]:g})", "give n_knots = 0")
        return
    counts = np.bincount(interval_of(seen, knots_of(survival, form)), minlength=1)
    if (counts == 0).any() or counts.size <= len(knots_of(survival, form)):
        message = "an interval of the baseline hazard holds no event"
        yield _fault("knots", message, "give fewer knots, or none")


def _rank_faults(rows: Repeated, survival: Survival, form: JointForm) -> Iterator[Finding]:
    designs = (
        ("fixed", form.fixed(rows.times, rows.subjects), form.fixed_names),
        ("random", form.random(rows.times, rows.subjects), form.random_names),
    )
    for what, design, names in designs:
        if design.shape != (rows.values.size, len(names)):
            yield _fault("design", f"the {what} design has {design.shape[1]} columns for {len(names)} names")
        elif not np.isfinite(design).all():
            yield _fault("design", f"the {what} design holds a value that is not finite")
        elif np.linalg.matrix_rank(_scaled(design)) < design.shape[1]:
            yield _fault(
                "singular", f"the {what} effects {list(names)} are not independent (singular design)"
            )
    assert survival.covariates is not None
    table = np.column_stack([np.ones(survival.times.size), survival.covariates])
    if len(survival.names) != table.shape[1] - 1:
        yield _fault("design", f"{table.shape[1] - 1} covariates for {len(survival.names)} names")
    elif np.linalg.matrix_rank(_scaled(table)) < table.shape[1]:
        message = f"the covariates {list(survival.names)} are constant or not independent (singular design)"
        yield _fault("singular", message)


def _scaled(design: Floats) -> Floats:
    size = np.sqrt((design**2).sum(axis=0))
    return design / np.where(size > 0, size, 1.0)


def knots_of(survival: Survival, form: JointForm) -> Floats:
    """Internal knots of the baseline hazard: given, or equally spaced quantiles.

    Parameters
    ----------
    survival, form
        As given to the fit.
    """
    if form.knots is not None:
        return np.array(sorted(form.knots), dtype=np.float64)
    if form.n_knots == 0:
        return np.zeros(0)
    seen = survival.times[survival.events] if form.knots_from == "events" else survival.times
    return np.unique(np.quantile(seen, np.linspace(0, 1, form.n_knots + 2)[1:-1]))


def interval_of(times: Floats, knots: Floats) -> npt.NDArray[np.intp]:
    """The interval in which each time lies; a time at a knot belongs to the interval that ends there."""
    return np.searchsorted(knots, times, side="left")


def block_of(rows: Repeated, survival: Survival, form: JointForm, knots: Floats) -> Block:
    """Everything that the likelihood of the subjects needs.

    Parameters
    ----------
    rows, survival : checked
        See :func:`checked`.
    form : JointForm
        The form.
    knots : ndarray
        Internal knots.
    """
    fixed, random = form.fixed(rows.times, rows.subjects), form.random(rows.times, rows.subjects)
    sums = moments(rows.values, fixed, random, rows.subjects, survival.times.size)
    return _block(sums, survival.times, survival.events.astype(np.float64), survival, form, knots)


def entry_block(survival: Survival, form: JointForm, knots: Floats) -> Block | None:
    """What divides the likelihood under left truncation: survival to entry; None without delayed entry."""
    assert survival.entry is not None
    assert survival.covariates is not None
    late = survival.entry > 0
    if not late.any():
        return None
    n, p, q = int(late.sum()), len(form.fixed_names), len(form.random_names)
    empty = Moments(
        xx=np.zeros((n, p, p)),
        xz=np.zeros((n, p, q)),
        zz=np.zeros((n, q, q)),
        xy=np.zeros((n, p)),
        zy=np.zeros((n, q)),
        yy=np.zeros(n),
        rows=np.zeros(n),
    )
    part = Survival(survival.entry[late], survival.events[late], survival.covariates[late])
    who = np.flatnonzero(late)

    def named(design: Design | None) -> Design | None:
        return None if design is None else lambda times, subjects: design(times, who[subjects])

    own = JointForm(
        fixed=named(form.fixed) or form.fixed,
        fixed_names=form.fixed_names,
        random=named(form.random) or form.random,
        random_names=form.random_names,
        fixed_slope=named(form.fixed_slope),
        random_slope=named(form.random_slope),
        association=form.association,
        kronrod=form.kronrod,
    )
    return _block(empty, part.times, np.zeros(n), part, own, knots)


def _block(
    sums: Moments, times: Floats, events: Floats, survival: Survival, form: JointForm, knots: Floats
) -> Block:
    at, lengths = _points(times, knots, form)
    n, j = at.shape
    who = np.arange(n)
    fixed, random = _associated(form)
    assert survival.covariates is not None
    flat, owner = at.ravel(), np.repeat(who, j)
    return Block(
        sums=sums,
        events=events,
        pieces=interval_of(times, knots),
        covariates=survival.covariates,
        fixed_end=np.stack([design(times, who) for design in fixed], axis=1),
        random_end=np.stack([design(times, who) for design in random], axis=1),
        fixed_at=np.stack([design(flat, owner).reshape(n, j, -1) for design in fixed], axis=1),
        random_at=np.stack([design(flat, owner).reshape(n, j, -1) for design in random], axis=1),
        lengths=lengths,
    )


def _points(times: Floats, knots: Floats, form: JointForm) -> tuple[Floats, Floats]:
    """Quadrature points of the cumulative hazard and their weights, (n, intervals x nodes)."""
    nodes, weights = kronrod(form.kronrod)
    low = np.concatenate([[0.0], knots])
    high = np.concatenate([knots, [np.inf]])
    start = np.minimum(low, times[:, None])
    stop = np.minimum(high, times[:, None])
    half = (stop - start) / 2
    at = start[:, :, None] + half[:, :, None] * (1 + nodes)
    return at.reshape(len(times), -1), (half[:, :, None] * weights).reshape(len(times), -1)


def _associated(form: JointForm) -> tuple[list[Design], list[Design]]:
    """Fixed and random designs of every term that the hazard depends on."""
    value = ([form.fixed], [form.random])
    slope = (
        [form.fixed_slope or derivative(form.fixed)],
        [form.random_slope or derivative(form.random)],
    )
    if form.association == "value":
        return value
    if form.association == "slope":
        return slope
    return value[0] + slope[0], value[1] + slope[1]


def derivative(design: Design) -> Design:
    """The derivative of a design by time, by central differences."""

    def slope(times: Floats, subjects: npt.NDArray[np.intp]) -> Floats:
        return (design(times + STEP, subjects) - design(times - STEP, subjects)) / (2 * STEP)

    return slope
