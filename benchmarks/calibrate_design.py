"""Hold the design study against simulated trials: type I error, power, prognosis, the winner's curse.

Run ``python -m benchmarks.calibrate_design``. Seeds and numbers of trials were fixed before the first run.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks import evidence_table
from myoproof.evidence.verdicts import Range, judge
from myoproof.numerics.mmrm import fit_mmrm
from myoproof.numerics.mmrm_inference import estimate, infer
from myoproof.numerics.mmrm_layout import Observations
from myoproof.numerics.power import Aim, adjusted, t_size
from myoproof.numerics.power_pilot import prognosis, shrunken_srms
from myoproof.numerics.power_repeated import edland_size, mmrm_size
from myoproof.numerics.responsiveness import bootstrap_counts, column_srms

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "design.csv"
SEED = 71_000
ABOUT = "design@1"
TRIALS, MMRM_TRIALS, LEAGUES = 10_000, 2_000, 1_000
LEVEL = Range(0.04, 0.06)
NEAR_POWER = Range(0.77, 0.83)
R = 0.44
"""Correlation of prognosis and outcome: what real ALS data gave (training and test sets of DREAM 2012)."""


def share(hits: Floats | npt.NDArray[np.bool_]) -> Row:
    """A rate with its Wilson interval."""
    n, k = len(hits), int(np.sum(hits))
    interval = stats.binomtest(k, n).proportion_ci(method="wilson")
    return {"value": k / n, "low": interval.low, "high": interval.high, "level": 0.95, "n": n}


def judged(row: Row, allowed: Range) -> Row:
    """A row held against its criterion with its Monte Carlo interval."""
    verdict = judge(row["value"], allowed, low=row.get("low", math.nan), high=row.get("high", math.nan))
    return {**row, "criterion": str(allowed), "verdict": verdict}


def rates(metric: str, power: Floats, level: Floats, population: str) -> Iterator[Row]:
    """Rows of power and type I error of one way of planning."""
    base = {"population": population, "reference": "80 % power, two-sided alpha 0.05 as planned"}
    yield {"metric": f"power, {metric}", **judged(share(power), NEAR_POWER), **base}
    yield {"metric": f"type I error, {metric}", **judged(share(level), LEVEL), **base}


# ---------------------------------------------------------------- t test


def t_trials(rng: np.random.Generator, ratio: float) -> Iterator[Row]:
    """Change at the last visit, SRM 1.04, half of it prevented."""
    control = math.ceil(t_size(0.52, Aim(ratio=ratio)).control)
    treated = math.ceil(control * ratio)
    found = []
    for effect in (0.52, 0.0):
        a = rng.normal(1.04, 1, (TRIALS, control))
        b = rng.normal(1.04 - effect, 1, (TRIALS, treated))
        found.append(np.asarray(stats.ttest_ind(a, b, axis=1).pvalue) < 0.05)
    told = f"simulated trials, SRM 1.04, 50 % effect, {control} and {treated} patients"
    yield from rates(f"t test, allocation {ratio:g}", found[0], found[1], told)


# ---------------------------------------------------------------- slopes


def slope_trials(rng: np.random.Generator) -> Iterator[Row]:
    """ALSFRS-like slopes planned by Edland's formula, tested as each patient's least-squares slope."""
    months = np.arange(0, 13, 2.0)
    n = math.ceil(edland_size(0.25, months, 0.25, 4.0).control)
    weight = (months - months.mean()) / ((months - months.mean()) ** 2).sum()
    found = []
    for delta in (0.25, 0.0):
        slopes = [
            rng.normal(mean, 0.5, (TRIALS, n)) + rng.normal(0, 2.0, (TRIALS, n, months.size)) @ weight
            for mean in (-1.0, -1.0 + delta)
        ]
        found.append(np.asarray(stats.ttest_ind(*slopes, axis=1).pvalue) < 0.05)
    told = f"simulated trials, slope SD 0.5 a month, residual SD 2, 7 visits, {n} an arm"
    yield from rates("random slopes (Edland)", found[0], found[1], told)


# ---------------------------------------------------------------- repeated measures


def mmrm_trials(rng: np.random.Generator) -> Iterator[Row]:
    """Planned by Lu, Luo and Chen, analysed by our MMRM (unstructured, REML, Satterthwaite)."""
    covariance = 0.6 ** np.abs(np.subtract.outer(range(4), range(4)))
    retention = [1.0, 0.9, 0.8, 0.7]
    n = math.ceil(mmrm_size(0.5, covariance, retention).control)
    found = [
        np.array([_mmrm_p(rng, n, delta, covariance, retention) < 0.05 for _ in range(MMRM_TRIALS)])
        for delta in (0.5, 0.0)
    ]
    told = f"simulated trials, 4 visits, first-order correlation 0.6, retention 1 to 0.7, {n} an arm"
    yield from rates("MMRM (Lu)", found[0], found[1], told)


def _mmrm_p(
    rng: np.random.Generator, n: int, delta: float, covariance: Floats, retention: list[float]
) -> float:
    factor = np.linalg.cholesky(covariance)
    arm = np.repeat([0.0, 1.0], n)
    y = rng.normal(size=(2 * n, 4)) @ factor.T
    y[:, 3] += delta * arm
    y[:, 1:3] += delta * np.outer(arm, [1 / 3, 2 / 3])
    visits = np.searchsorted(-np.array(retention), -rng.random(2 * n), side="left")
    seen = np.arange(4) < np.maximum(visits, 1)[:, None]
    who, visit = np.nonzero(seen)
    means = np.eye(4)[visit]
    design = np.column_stack([means, means * arm[who][:, None]])
    fit = fit_mmrm(Observations(y[seen], design, who, visit))
    return estimate(infer(fit), np.eye(8)[7]).p


# ---------------------------------------------------------------- prognosis


def prognostic_trials(rng: np.random.Generator) -> Iterator[Row]:
    """A score learnt on 1,000 earlier patients; trials of n (1 - r^2) adjusted for it."""
    weights = np.array([0.6, -0.4, 0.3, 0.2])
    signal = R / math.sqrt(float(weights @ weights))
    rest = math.sqrt(1 - R**2)
    history = rng.normal(size=(1000, 4))
    outcome = signal * history @ weights + rest * rng.normal(size=1000)
    learnt = np.linalg.lstsq(np.column_stack([np.ones(1000), history]), outcome, rcond=None)[0][1:]
    r = prognosis(outcome, history).r
    plain = t_size(0.4)
    n = math.ceil(adjusted(plain, r).control)
    found, ratio = [], math.nan
    for delta in (0.4, 0.0):
        x = rng.normal(size=(TRIALS, 2 * n, 4))
        arm = np.repeat([0.0, 1.0], n)
        y = signal * x @ weights + rest * rng.normal(size=(TRIALS, 2 * n)) + delta * arm
        p, effects = _ancova(y, x @ learnt, arm)
        found.append(p < 0.05)
        ratio = float(effects.var() / (y[:, n:].mean(axis=1) - y[:, :n].mean(axis=1)).var())
    whole = math.ceil(plain.control)
    told = f"simulated trials, 4 covariates, score from 1,000 earlier patients, {n} an arm for {whole}"
    yield from rates("adjusted for prognosis, n (1 - r2)", found[0], found[1], told)
    base = {"population": told, "reference": "r2 of the simulation", "n": TRIALS}
    saved = {
        "metric": "share of patients saved less r2, percentage points",
        "value": 100 * (1 - ratio - R**2),
    }
    yield {**judged(saved, Range(-2.0, 2.0)), **base}
    gap = {"metric": "left-out r of the history less r", "value": r - R}
    yield {**gap, **base, "n": 1000}


def _ancova(y: Floats, score: Floats, arm: Floats) -> tuple[Floats, Floats]:
    """The p and the effect of the arm with the score as covariate, for many trials at once."""
    n = arm.size
    half = n // 2
    centred = arm - arm.mean()
    score = score - score.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    aa, ss = float(centred @ centred), (score**2).sum(axis=1)
    as_, ay, sy = score @ centred, y @ centred, (score * y).sum(axis=1)
    determinant = aa * ss - as_**2
    effect, slope = (ss * ay - as_ * sy) / determinant, (aa * sy - as_ * ay) / determinant
    residual = ((y - effect[:, None] * centred - slope[:, None] * score) ** 2).sum(axis=1) / (2 * half - 3)
    t = effect / np.sqrt(residual * ss / determinant)
    return 2 * stats.t.sf(np.abs(t), n - 3), effect


# ---------------------------------------------------------------- winner's curse


def leagues(rng: np.random.Generator) -> Iterator[Row]:
    """Twelve correlated candidates in 17 patients, the best chosen; the trial planned on its SRM."""
    k, n, spread = 12, 17, 0.2
    bias = np.empty((LEAGUES, 2))
    reached = np.empty((LEAGUES, 2))
    covered = np.empty(LEAGUES, dtype=bool)
    for place in range(LEAGUES):
        truth = rng.normal(0.9, spread, k)
        change = truth + math.sqrt(0.4) * rng.normal(size=(n, 1)) + math.sqrt(0.6) * rng.normal(size=(n, k))
        srms = column_srms(change)
        replicates = column_srms(change, bootstrap_counts(n, 500, rng=rng))
        found = shrunken_srms(srms, np.cov(replicates, rowvar=False))
        best = int(srms.argmax())
        for way, value in enumerate((srms[best], found.values[best])):
            bias[place, way] = value - truth[best]
            size = t_size(0.5 * value).control if value > 0.05 else 1e6
            shift = 0.5 * truth[best] * math.sqrt(size / 2)
            reached[place, way] = stats.norm.sf(1.96 - shift)
        covered[place] = found.low[best] < truth[best] < found.high[best]
    told = f"simulated pilots of {n}, {k} candidates correlated 0.4, true SRM 0.9 (SD {spread})"
    base = {"population": told, "reference": "true SRM of the chosen measure", "n": LEAGUES}
    for way, name in enumerate(("as measured", "shrunken")):
        half = 1.96 * bias[:, way].std() / math.sqrt(LEAGUES)
        mean = float(bias[:, way].mean())
        row = {"metric": f"bias of the best of twelve SRMs, {name}", "value": mean}
        row |= {"low": mean - half, "high": mean + half, "level": 0.95}
        yield {**(judged(row, Range(-0.1, 0.1)) if way else row), **base}
        yield {"metric": f"mean power of a trial planned for 80 % on it, {name}",
               "value": float(reached[:, way].mean()), **base}  # fmt: skip
    yield {"metric": "coverage of the 95 % interval of the shrunken best", **share(covered), **base}


def rows() -> Iterator[Row]:
    """All cells, each with a stream of its own.

    Stream 5 showed that the first shrinkage gave intervals too narrow (they held 69 %); the method was
    changed on other draws, and is judged on stream 6.
    """
    streams = [np.random.default_rng([SEED, cell]) for cell in (0, 1, 2, 3, 4, 6)]
    yield from t_trials(streams[0], 1.0)
    yield from t_trials(streams[1], 2.0)
    yield from slope_trials(streams[2])
    yield from mmrm_trials(streams[3])
    yield from prognostic_trials(streams[4])
    yield from leagues(streams[5])


def main() -> None:
    """Compute, print and write."""
    evidence_table.write(rows, about=ABOUT, table=TABLE)


if __name__ == "__main__":
    main()
