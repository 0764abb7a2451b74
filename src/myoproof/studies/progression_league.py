"""Rows of responsiveness: SRM, sample size per arm, and what choosing the best measure does."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.numerics.responsiveness import bootstrap_counts, column_srms, select_best, srm_intervals
from myoproof.numerics.samplesize import size_for_slowing
from myoproof.studies.progression_panel import Panel, Parameters

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
LARGEST_SHOWN = 1e7
"""Sample sizes above this are no plan; the bound is left open."""


def league_rows(panel: Panel, parameters: Parameters, *, rng: np.random.Generator) -> Iterator[Row]:
    """SRM and sample size of every term in the patients, then what choosing the best of them does.

    Parameters
    ----------
    panel : Panel
        The data.
    parameters : Parameters
        Level, effects, power and bootstrap samples.
    rng : numpy.random.Generator
        For the bootstrap; one set of samples serves every term.
    """
    members = panel.members(parameters.patients)
    worsening = np.column_stack([course.change[members] * course.worsening for course in panel.courses])
    worsening = worsening[np.isfinite(worsening).any(axis=1)]
    enough = np.isfinite(worsening).sum(axis=0) >= parameters.minimum_subjects
    worsening = np.where(enough, worsening, np.nan)
    if not enough.any():
        worsening = worsening[:0]
    counts = bootstrap_counts(max(len(worsening), 1), parameters.bootstrap, rng=rng)[:, : len(worsening)]
    srms = column_srms(worsening)
    bounds = srm_intervals(worsening, counts, level=parameters.level)
    for place, course in enumerate(panel.courses):
        head: Row = {
            "term": course.term,
            "unit": "1",
            "flags": course.family,
            "n_subjects": int(np.isfinite(worsening[:, place]).sum()),
        }
        yield from _responsiveness(head, float(srms[place]), bounds[place], parameters)
    yield from _selection(panel, worsening, counts, parameters)


def _responsiveness(head: Row, srm: float, bounds: Floats, parameters: Parameters) -> Iterator[Row]:
    found = {**head, "analysis": "srm", "group": parameters.patients, "method": "bootstrap_bca"}
    if not math.isfinite(srm):
        yield {**found, "absent": "insufficient_data"}
        return
    low, high = (float(bound) for bound in bounds)
    yield {**found, "value": srm, "low": low, "high": high, "level": parameters.level}
    for effect in parameters.effects:
        yield {**head, **_size(effect, (srm, low, high), parameters)}


def _size(effect: float, srm: tuple[float, float, float], parameters: Parameters) -> Row:
    """Sample size with the interval that the SRM's implies; an open upper bound is flagged."""
    exact, high, low = (
        size_for_slowing(value, effect, power=parameters.power, alpha=parameters.alpha) for value in srm
    )
    row: Row = {
        "analysis": "sample_size",
        "group": f"{effect:.0%}",
        "method": f"two_sample_t power={parameters.power:g} alpha={parameters.alpha:g}",
        "unit": "1",
        "level": parameters.level,
    }
    if exact > LARGEST_SHOWN:
        return {**row, "absent": "out_of_domain"}
    opened = " upper bound open" if math.isfinite(srm[1]) and high > LARGEST_SHOWN else ""
    return {
        **row,
        "method": f"{row['method']}{opened}",
        "value": _whole(exact),
        "statistic": exact,
        "low": _whole(low),
        "high": _whole(high),
    }


def _whole(n: float) -> float:
    """Subjects rounded up; NaN where no number of them would do."""
    return float(math.ceil(n)) if n <= LARGEST_SHOWN else math.nan


def _selection(panel: Panel, worsening: Floats, counts: Floats, parameters: Parameters) -> Iterator[Row]:
    base: Row = {"analysis": "selection", "unit": "1", "n_subjects": len(worsening)}
    if len(worsening) == 0 or not np.isfinite(column_srms(worsening)).any():
        yield {**base, "group": "honest", "term": "srm", "absent": "insufficient_data"}
        return
    found = select_best(worsening, counts, level=parameters.level)
    for course, share in zip(panel.courses, found.share, strict=True):
        yield {
            **base,
            "term": course.term,
            "method": "bootstrap",
            "value": float(share),
            "flags": course.family,
        }
    honest: Row = {**base, "group": "honest", "n_rows": found.n_replicates}
    if not math.isfinite(found.honest):
        yield {**honest, "term": "srm", "absent": "insufficient_data"}
        return
    yield {
        **honest,
        "term": "srm",
        "method": f"out_of_bag optimism={found.optimism:.3f}",
        "value": found.honest,
        "low": found.low,
        "high": found.high,
        "level": parameters.level,
    }
    for effect in parameters.effects:
        size = _size(effect, (found.honest, math.nan, math.nan), parameters)
        size = {key: value for key, value in size.items() if key not in ("low", "high", "group", "level")}
        yield {**honest, **size, "analysis": "selection", "term": f"n per arm, {effect:.0%} effect"}
