"""Hold z-scores against simulated truth: coverage of their intervals, and an independent implementation.

Run ``python -m benchmarks.calibrate_norms``. Controls and patients are drawn here, apart from the package's
arithmetic. Seeds and numbers of replicates were fixed before the first run; nothing was tuned on them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm

from benchmarks import evidence_table
from myoproof.core.cohort import Cohort, make_cohort
from myoproof.measures import zscores, zscores_fit
from myoproof.numerics.norms import fit, z_intervals, z_scores

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "norms.csv"
SEED = 82_000
ABOUT = f"{zscores.METHOD}@{zscores.METHOD_VERSION}"
REPLICATES = 1_500
COHORTS = 300
GAIN_SD_DB, DYNAMIC_RANGE_DB = 1.5, 60.0
GAIN_SD = GAIN_SD_DB * 255 / DYNAMIC_RANGE_DB
EFFECTS, BETWEEN_SD, WITHIN_SD = np.array([30.0, 0.3, -3.0]), 6.0, 3.6
"""Constant, age, male; between and within people: together a residual SD of 7 grey levels, as biceps has."""
SD = float(np.hypot(BETWEEN_SD, WITHIN_SD))


def people(rng: np.random.Generator, n: int) -> Floats:
    """Constant, age from 20 to 80, male."""
    return np.column_stack([np.ones(n), rng.uniform(20, 80, n), rng.random(n) < 0.5]).astype(np.float64)


def covered(rng: np.random.Generator, n: int, *, stated: bool) -> bool:
    """Whether one interval holds the true z: one row a control, one patient scanned at a strayed gain."""
    x = people(rng, n)
    norm = fit(x, x @ EFFECTS + rng.normal(0, SD, n))
    new, true = people(rng, 1), rng.normal(1.0, 1.5)
    value = new @ EFFECTS + SD * true + rng.normal(0, GAIN_SD)
    low, high = z_intervals(norm, new, value, np.array([GAIN_SD if stated else 0.0]))
    return bool(low[0] <= true <= high[0])


def covered_sides(rng: np.random.Generator, n: int) -> bool:
    """The same with both sides of every control: a random intercept a person."""
    x = people(rng, n)
    both = np.repeat(x @ EFFECTS + rng.normal(0, BETWEEN_SD, n), 2) + rng.normal(0, WITHIN_SD, 2 * n)
    norm = fit(np.repeat(x, 2, axis=0), both, np.repeat(np.arange(n), 2))
    new, true = people(rng, 1), rng.normal(1.0, 1.5)
    value = new @ EFFECTS + SD * true + rng.normal(0, GAIN_SD)
    low, high = z_intervals(norm, new, value, np.array([GAIN_SD]))
    return bool(low[0] <= true <= high[0])


def cohort(rng: np.random.Generator, n: int) -> tuple[Cohort, float]:
    """Controls with both sides, and one patient whose true z is told apart."""
    x, shared = people(rng, n + 1), rng.normal(0, BETWEEN_SD, n)
    true = float(rng.normal(1.0, 1.5))
    names = [f"s{k:03d}" for k in range(n + 1)]
    arm = ["control"] * n + ["als"]
    expected = x @ EFFECTS
    rows = [
        {
            "subject": names[k],
            "side": side,
            "value": float(expected[k] + shared[k] + rng.normal(0, WITHIN_SD)),
        }
        for k in range(n)
        for side in ("left", "right")
    ]
    rows.append(
        {
            "subject": names[n],
            "side": "left",
            "value": float(expected[n] + SD * true + rng.normal(0, GAIN_SD)),
        }
    )
    same = {"session": "m00", "modality": "ultrasound"}
    told = {"measure": "echogenicity", "site": "biceps_brachii", "method": "echogenicity:whole"}
    subjects = pd.DataFrame({"subject": names, "age_years": x[:, 1], "arm": arm,
                             "sex": np.where(x[:, 2] > 0, "male", "female")})  # fmt: skip
    scans = pd.DataFrame({"subject": names, **same, "day": 0.0, "device": "device-a", "preset": "muscle",
                          "protocol": "transverse"})  # fmt: skip
    return make_cohort(subjects, scans, pd.DataFrame(rows).assign(**same, **told, flags="simulated")), true


def through(rng: np.random.Generator, n: int) -> bool | None:
    """Whether the interval of both commands holds the true z; None where age is out of range."""
    made, true = cohort(rng, n)
    settings = zscores_fit.Params(gain_sd_db={"": GAIN_SD_DB}, dynamic_range_db={"": DYNAMIC_RANGE_DB})
    learnt = zscores_fit.learn(made.measurements, made, params=settings)
    mine = made.measurements[made.measurements["subject"] == f"s{n:03d}"]
    row = zscores.derive(mine, made, params=zscores.Params(files=(learnt.file,))).iloc[0]
    return None if row["absent"] else bool(row["low"] <= true <= row["high"])


def share(hits: list[bool]) -> Row:
    """A share with its 95 % Monte Carlo interval."""
    n, value = len(hits), float(np.mean(hits))
    half = 1.96 * np.sqrt(value * (1 - value) / n)
    return {"value": value, "low": value - half, "high": value + half, "level": 0.95, "n": n}


def within(row: Row, low: float, high: float) -> Row:
    """Verdict of a share that should lie in a range, on its interval."""
    inside = low <= row["low"] and row["high"] <= high
    outside = row["high"] < low or row["low"] > high
    verdict = "pass" if inside else "fail" if outside else "inconclusive"
    return {**row, "criterion": f"{low:g} to {high:g}", "verdict": verdict}


def coverage_rows() -> Iterator[Row]:
    """Coverage of the interval of z, the gain error stated and not."""
    for n in (20, 40, 100):
        for stated in (True, False) if n == 40 else (True,):
            rngs = (np.random.default_rng([SEED, n, k]) for k in range(REPLICATES))
            row = share([covered(rng, n, stated=stated) for rng in rngs])
            told = f"simulated, {n} controls, gain error SD {GAIN_SD_DB} dB of {DYNAMIC_RANGE_DB:g} dB"
            metric = "coverage of the 95 % interval of z" + ("" if stated else ", gain error not stated")
            judged = within(row, 0.93, 0.97) if stated else row
            yield {"metric": metric, "population": told, "reference": "simulated true z", **judged}
    sides = share([covered_sides(np.random.default_rng([SEED, 5, k]), 60) for k in range(REPLICATES)])
    yield {
        "metric": "coverage of the 95 % interval of z, both sides of every control",
        "population": f"simulated, 60 controls, gain error SD {GAIN_SD_DB} dB of {DYNAMIC_RANGE_DB:g} dB",
        "reference": "simulated true z",
        **within(sides, 0.93, 0.97),
    }
    hits = [through(np.random.default_rng([SEED, 7, k]), 60) for k in range(COHORTS)]
    known = [hit for hit in hits if hit is not None]
    yield {
        "metric": "coverage of the 95 % interval of z, `norms fit` and `norms apply` as a whole",
        "population": f"simulated, 60 controls with both sides, gain error SD {GAIN_SD_DB} dB; "
        f"{COHORTS - len(known)} patients older or younger than every control refused",
        "reference": "simulated true z",
        **within(share(known), 0.93, 0.97),
    }


def equality_rows() -> Iterator[Row]:
    """The largest difference from statsmodels' prediction interval."""
    worst = 0.0
    for k in range(500):
        rng = np.random.default_rng([SEED, 11, k])
        n = int(rng.integers(8, 200))
        x = people(rng, n)
        if np.linalg.matrix_rank(x) < 3:
            continue
        y = x @ EFFECTS + rng.normal(0, SD, n)
        new = people(rng, 20)
        values = new @ EFFECTS + rng.normal(0, 20, 20)
        theirs = sm.OLS(y, x).fit().get_prediction(new)
        z = (values - theirs.predicted_mean) / theirs.se_obs
        worst = max(worst, float(np.abs(z_scores(fit(x, y), new, values) - z).max()))
    yield {
        "metric": "largest difference of z from statsmodels' prediction interval",
        "value": worst,
        "n": 500,
        "population": "simulated, 8 to 200 controls, 20 new people each",
        "reference": f"statsmodels {sm.__version__ if hasattr(sm, '__version__') else ''}".strip(),
        "criterion": "at most 1e-09",
        "verdict": "pass" if worst <= 1e-9 else "fail",
    }


def main() -> None:
    """Compute, print and write."""
    evidence_table.write(
        lambda: (*coverage_rows(), *equality_rows()),
        about=ABOUT,
        table=TABLE,
        digits=lambda value: float(f"{value:.4g}"),
    )


if __name__ == "__main__":
    main()
