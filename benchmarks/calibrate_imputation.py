"""Hold multiple imputation against simulated truth: coverage of pooled intervals, missing at random.

Run ``python -m benchmarks.calibrate_imputation``. Data and truth are drawn here; seeds were fixed before the
first run, and nothing was tuned on them.
"""

import argparse
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.table import write_table
from myoproof.evidence.verdicts import Range, judge
from myoproof.numerics.chained import Settings, impute
from myoproof.numerics.pooling import pool

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "imputation.csv"
SEED = 62_000
ABOUT = "impute@1"
REPLICATES, SUBJECTS = 1000, 200
HOW = Settings(m=10, rounds=5)
TRUE = {"intercept": 1.0, "x1": 0.5, "x2": 0.5, "group": -0.8}
CHANCE_MEAN = 1.0 - 0.8 * 0.4  # mean of y: x1 and x2 have mean 0, the group 0.4
ALLOWED = Range(0.93, 0.97)


def drawn(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Columns x1, x2, group, y whole, and with values missing by what x2 and y show."""
    x2 = rng.normal(size=SUBJECTS)
    x1 = 0.5 * x2 + rng.normal(0, np.sqrt(0.75), SUBJECTS)
    chance = 1 / (1 + np.exp(-(x2 + offset())))
    group = (rng.random(SUBJECTS) < chance).astype(float)
    y = (
        TRUE["intercept"]
        + TRUE["x1"] * x1
        + TRUE["x2"] * x2
        + TRUE["group"] * group
        + rng.normal(size=SUBJECTS)
    )
    whole = np.column_stack([x1, x2, group, y])
    holed = whole.copy()
    holed[rng.random(SUBJECTS) < 1 / (1 + np.exp(1.0 - x2)), 3] = np.nan
    seen = np.isfinite(holed[:, 3])
    pull = np.where(seen, whole[:, 3] - 0.7, 0.0)
    holed[rng.random(SUBJECTS) < 1 / (1 + np.exp(1.4 - 0.6 * pull)), 0] = np.nan
    holed[rng.random(SUBJECTS) < 1 / (1 + np.exp(1.8 + 0.5 * x2)), 2] = np.nan
    return whole, holed


def offset() -> float:
    """Intercept that gives the group a share of 0.4 (found by bisection with 10^6 quadrature points)."""
    points = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    low, high = -3.0, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        if np.mean(1 / (1 + np.exp(-(points + middle)))) < 0.4:
            low = middle
        else:
            high = middle
    return middle


def fitted(table: Floats) -> tuple[Floats, Floats]:
    """Coefficients of y on the rest and the mean of y, and their squared standard errors."""
    x = np.column_stack([np.ones(len(table)), table[:, :3]])
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ table[:, 3]
    rest = table[:, 3] - x @ beta
    variance = rest @ rest / (len(table) - 4) * np.diag(inverse)
    y = table[:, 3]
    return np.append(beta, y.mean()), np.append(variance, y.var(ddof=1) / len(y))


def covers(value: Floats, se: Floats, df: Floats | float, truth: Floats) -> npt.NDArray[np.bool_]:
    """Whether 95 % intervals hold the truth."""
    return np.abs(value - truth) <= stats.t.ppf(0.975, df) * se


def replicate(seed: int) -> dict[str, Floats]:
    """One cohort: imputed and pooled, complete cases, nothing missing."""
    rng = np.random.default_rng([SEED, seed])
    whole, holed = drawn(rng)
    truth = np.array([*TRUE.values(), CHANCE_MEAN])
    done = impute(holed, ["number", "number", "category", "number"], rng=rng, settings=HOW)
    fits = [fitted(one) for one in done.values]
    found = pool([b for b, _ in fits], [v for _, v in fits], df_complete=SUBJECTS - 4)
    case = holed[np.isfinite(holed).all(axis=1)]
    alone, alone_variance = fitted(case)
    full, full_variance = fitted(whole)
    return {
        "error": found.value - truth,
        "se": found.se,
        "covered": covers(found.value, found.se, found.df, truth),
        "case error": alone - truth,
        "case covered": covers(alone, np.sqrt(alone_variance), len(case) - 4, truth),
        "whole covered": covers(full, np.sqrt(full_variance), SUBJECTS - 4, truth),
        "missing": np.isnan(holed).mean(axis=0),
        "cases": np.array([len(case) / SUBJECTS]),
    }


def share(hits: Floats) -> Row:
    """A rate with its Wilson interval."""
    n, k = len(hits), int(hits.sum())
    interval = stats.binomtest(k, n).proportion_ci(method="wilson")
    return {"value": k / n, "low": interval.low, "high": interval.high, "level": 0.95, "n": n}


def judged(row: Row) -> Row:
    """Coverage of 95 % intervals must be 0.93 to 0.97, judged with its Monte Carlo interval."""
    verdict = judge(row["value"], ALLOWED, low=row["low"], high=row["high"])
    return {**row, "criterion": str(ALLOWED), "verdict": verdict}


def rows() -> Iterator[Row]:
    """Coverage and bias by coefficient."""
    runs = [replicate(seed) for seed in range(REPLICATES)]
    stacked = {name: np.array([run[name] for run in runs]) for name in runs[0]}
    lost = ", ".join(f"{100 * v:.0f} %" for v in stacked["missing"].mean(axis=0)[[0, 2, 3]])
    cases = 100 * float(stacked["cases"].mean())
    told = f"simulated, n {SUBJECTS}, missing at random: {lost} of x1, group, y; {cases:.0f} % complete"
    base = {"population": told, "reference": "simulated truth"}
    for k, name in enumerate([*TRUE, "mean of y"]):
        yield {
            "metric": f"coverage of the 95 % interval, {name}",
            **judged(share(stacked["covered"][:, k])),
            **base,
        }
        error, spread = stacked["error"][:, k], stacked["error"][:, k].std(ddof=1)
        half = 1.96 * spread / np.sqrt(REPLICATES)
        ends = {"low": error.mean() - half, "high": error.mean() + half, "level": 0.95, "n": REPLICATES}
        yield {"metric": f"bias, {name}", "value": error.mean(), **ends, **base}
        ratio = float(stacked["se"][:, k].mean() / spread)
        yield {
            "metric": f"mean standard error over SD of estimates, {name}",
            "value": ratio,
            "n": REPLICATES,
            **base,
        }
        alone = share(stacked["case covered"][:, k])
        yield {"metric": f"coverage of complete cases, {name}", **alone, **base}
        yield {"metric": f"bias of complete cases, {name}", "value": stacked["case error"][:, k].mean(),
               "n": REPLICATES, **base}  # fmt: skip


def main() -> None:
    """Compute, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE)
    out = parser.parse_known_args()[0].out
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    made = {"about": ABOUT, "kind": "calibration", "date": day, "version": __version__}
    frame = evidence_frame([{**made, **row} for row in rows()])
    numbers = ["value", "low", "high"]
    frame[numbers] = frame[numbers].round(4)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_table(frame, out)
    print(frame[["metric", *numbers, "n", "criterion", "verdict"]].to_string(index=False))


if __name__ == "__main__":
    main()
