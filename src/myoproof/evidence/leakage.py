"""The leak audit: a whole analysis rerun on outcomes that mean nothing must score what chance scores."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.errors import InvalidInput
from myoproof.evidence.verdicts import Range, judge

METHOD = "leakage"
CHANCE = Range(0.48, 0.52)
"""Area under the curve that counts as chance: the whole interval of the mean must lie inside. A proposal."""
FEWEST_REPEATS = 20

Analysis = Callable[[npt.NDArray[np.int64], np.random.Generator], float]
"""Outcome and randomness -> cross-validated score, everything that is learnt learnt within."""


def check(
    analysis: Analysis,
    outcome: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    repeats: int = 200,
    about: str = "",
    population: str = "",
) -> pd.DataFrame:
    """Rerun an analysis on permuted outcomes; a score off chance means that something leaks.

    Parameters
    ----------
    analysis : callable
        The whole of it, harmonising, imputing, scaling and selecting included: whatever is done outside of
        it is not audited.
    outcome : (n,) array of int
        Groups of the subjects, one a subject.
    rng : numpy.random.Generator
        For the permutations and the analysis.
    repeats : int
        Permutations.
    about, population : str
        For the rows.

    Returns
    -------
    DataFrame
        One evidence row ``score on permuted outcomes``: mean with its 95 % Monte Carlo interval, held against
        chance (0.5).

    Raises
    ------
    InvalidInput
        If there are fewer than 20 repeats or fewer than two groups, or a score is not finite.

    Examples
    --------
    >>> rows = check(lambda y, g: 0.5 + 0.01 * g.standard_normal(), [0, 1] * 10, rng=np.random.default_rng(0))
    >>> rows["verdict"].tolist()
    ['pass']
    """
    labels = np.asarray(outcome, dtype=np.int64)
    if repeats < FEWEST_REPEATS or len(np.unique(labels)) < 2:
        mend = f"give at least {FEWEST_REPEATS} repeats and two groups"
        raise InvalidInput("the leak audit has too little to go on", where="leakage", mend=mend)
    scores = np.array([analysis(child.permutation(labels), child) for child in rng.spawn(repeats)])
    if not np.isfinite(scores).all():
        raise InvalidInput("the analysis gave a score that is not finite", where="leakage")
    mean, half = float(scores.mean()), _half_width(scores)
    row = {
        "about": about,
        "kind": METHOD,
        "metric": "score on permuted outcomes",
        "value": mean,
        "low": mean - half,
        "high": mean + half,
        "level": 0.95,
        "n": repeats,
        "population": population,
        "reference": "chance, 0.5",
        "criterion": str(CHANCE),
        "verdict": judge(mean, CHANCE, low=mean - half, high=mean + half),
        "version": __version__,
    }
    return evidence_frame([row])


def _half_width(scores: npt.NDArray[np.float64]) -> float:
    spread = float(scores.std(ddof=1)) / math.sqrt(len(scores))
    return float(stats.t.ppf(0.975, len(scores) - 1)) * spread
