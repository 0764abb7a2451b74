"""Hold the trial's mixed model against simulated truth: type I error, power by formula, coverage, bias.

Run ``python -m benchmarks.calibrate_mmrm``. Trials are drawn here and go through the rows of the study; seeds
and replicates were fixed before the first run, and nothing was tuned on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks import evidence_table
from myoproof.evidence.verdicts import Range, judge
from myoproof.numerics.pairwise import Fates, compare
from myoproof.numerics.power import normal_power
from myoproof.numerics.power_repeated import mmrm_variance
from myoproof.studies.progression_arms import Arms
from myoproof.studies.progression_mmrm import mmrm_rows
from myoproof.studies.progression_trial import MmrmParameters

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "mmrm.csv"
SEED = 73_000
ABOUT = "progression@1"
REPLICATES = 5000
ERROR, COVERAGE = Range(0.04, 0.06), Range(0.94, 0.96)
SESSIONS = ["m00", "m03", "m06", "m09", "m12"]
SD = np.array([5.5, 5.9, 6.5, 7.2, 8.0])
CORRELATION = 0.93 ** np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
COVARIANCE = CORRELATION * np.outer(SD, SD)
MEAN = 37 - np.array([0, 2.7, 5.4, 8.0, 10.6])
RETENTION = (1.0, 0.95, 0.88, 0.8)
"""Share still there at the four visits after baseline, where drop-out is completely at random."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of trial."""

    name: str
    per_arm: int
    effect: float
    leave: str
    mmrm: MmrmParameters


KR = MmrmParameters(structures=["UN", "TOEPH", "CS"], slopes=False)
CELLS = (
    Cell("baseline-adjusted, Kenward-Roger", 100, 0.0, "by the last score seen", KR),
    Cell("baseline-adjusted, Kenward-Roger", 15, 0.0, "by the last score seen", KR),
    Cell(
        "baseline-adjusted, Satterthwaite", 15, 0.0, "by the last score seen",
        KR.model_copy(update={"df": "satterthwaite"}),
    ),
    Cell(
        "constrained longitudinal, Kenward-Roger", 50, 0.0, "by the last score seen",
        KR.model_copy(update={"model": "clda"}),
    ),
    Cell("baseline-adjusted, Kenward-Roger", 100, 2.25, "at random", KR),
    Cell("baseline-adjusted, Kenward-Roger", 60, 2.7, "nobody", KR),
)  # fmt: skip


def drawn(cell: Cell, rng: np.random.Generator) -> Arms:
    """One trial as the study lines it up."""
    n = 2 * cell.per_arm
    treated = np.arange(n) % 2 == 1
    effect = cell.effect * np.array([0, 0.25, 0.5, 0.75, 1.0])
    values = rng.multivariate_normal(np.zeros(5), COVARIANCE, size=n, method="cholesky") + MEAN
    values = values + treated[:, None] * effect
    values[left(cell, values, rng)] = np.nan
    days = np.broadcast_to(np.array([0.0, 91, 183, 274, 365]), values.shape)
    none = np.full(n, np.nan)
    names = [f"s{number:03d}" for number in range(n)]
    return Arms(
        "alsfrs_r/total/", "{score}", "primary", -1, names, treated, ("active", "placebo"), SESSIONS,
        values, days, np.zeros((n, 0)), (), none, np.full(n, 365.0),
    )  # fmt: skip


def left(cell: Cell, values: Floats, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Values missing after drop-out."""
    gone = np.zeros(values.shape, dtype=np.bool_)
    for visit in range(1, values.shape[1]):
        if cell.leave == "nobody":
            continue
        before = RETENTION[visit - 2] if visit > 1 else 1.0
        chance = np.full(len(values), 1 - RETENTION[visit - 1] / before)
        if cell.leave == "by the last score seen":
            chance = 1 / (1 + np.exp(3.2 + 0.12 * (values[:, visit - 1] - 32)))
        gone[:, visit] = gone[:, visit - 1] | (rng.random(len(values)) < chance)
    return gone


def replicates(cell: Cell, seed: int) -> tuple[Floats, int]:
    """Estimate, SE, p, low, high of the last contrast by trial; how many the first structure did not fit."""
    found, other = [], 0
    for number in range(REPLICATES):
        arms = drawn(cell, np.random.default_rng([SEED, seed, number]))
        rows = list(mmrm_rows(arms, cell.mmrm, level=0.95, fewest=5))
        fits = [row for row in rows if row["analysis"] == "mmrm_fit"]
        other += "absent" in fits[0]
        last = next(row for row in rows if row["analysis"] == "contrast" and row["method"] == "m12")
        found.append([last.get(name, np.nan) for name in ("value", "se", "p", "low", "high")])
    return np.array(found), other


def share(hits: npt.NDArray[np.bool_], allowed: Range | None = None) -> Row:
    """A rate with its Wilson interval, judged by it."""
    n, k = hits.size, int(hits.sum())
    interval = stats.binomtest(k, n).proportion_ci(method="wilson")
    row = {"value": k / n, "low": interval.low, "high": interval.high, "level": 0.95, "n": n}
    if allowed is None:
        return row
    verdict = judge(row["value"], allowed, low=row["low"], high=row["high"])
    return {**row, "criterion": str(allowed), "verdict": verdict}


def formula(cell: Cell) -> float:
    """Power of the last contrast by Lu, Luo and Chen 2008, the visits given baseline."""
    after = COVARIANCE[1:, 1:] - np.outer(COVARIANCE[1:, 0], COVARIANCE[0, 1:]) / COVARIANCE[0, 0]
    held = RETENTION if cell.leave == "at random" else (1.0,) * 4
    return normal_power(cell.effect, mmrm_variance(after, held), cell.per_arm)


def rows() -> Iterator[Row]:
    """Every cell's rates."""
    for seed, cell in enumerate(CELLS):
        found, other = replicates(cell, seed)
        value, se, p, low, high = found[np.isfinite(found[:, 2])].T
        told = f"simulated trials, 2 x {cell.per_arm}, four visits after baseline, drop-out: {cell.leave}"
        base = {"population": told, "reference": "simulated truth"}
        print(cell.name, told, f"fell back {other}, no estimate {REPLICATES - p.size}", flush=True)
        label = f"{cell.name}, 2 x {cell.per_arm}"
        if cell.effect == 0:
            yield {"metric": f"type I error at 5 %, {label}", **share(p < 0.05, ERROR), **base}
        else:
            expected = formula(cell)
            allowed = Range(round(expected - 0.03, 4), round(expected + 0.03, 4))
            reference = f"formula of Lu, Luo and Chen 2008: {expected:.3f}"
            yield {"metric": f"power, {label}", **share(p < 0.05, allowed), **base, "reference": reference}
        inside = (low <= cell.effect) & (cell.effect <= high)
        yield {"metric": f"coverage of the 95 % interval, {label}", **share(inside, COVERAGE), **base}
        half = 1.96 * value.std(ddof=1) / np.sqrt(value.size)
        bias = value.mean() - cell.effect
        ends = {"low": bias - half, "high": bias + half, "level": 0.95, "n": value.size}
        yield {"metric": f"bias, points, {label}", "value": bias, **ends, **base}
        yield {
            "metric": f"mean standard error over SD of estimates, {label}",
            "value": se.mean() / value.std(ddof=1),
            "n": value.size,
            **base,
        }
        yield {
            "metric": f"trials without a fit by the first structure, {label}",
            **share(_some(other)),
            **base,
        }
    yield from composite()


def _some(count: int) -> npt.NDArray[np.bool_]:
    return np.arange(REPLICATES) < count


def composite() -> Iterator[Row]:
    """The win probability where nothing is to be found, one in eight dead and one in six lost."""
    hits = []
    for number in range(REPLICATES):
        rng = np.random.default_rng([SEED, 99, number])
        values = rng.multivariate_normal(np.zeros(4), COVARIANCE[1:, 1:], size=100, method="cholesky")
        dead = rng.random(100) < 0.125
        death = np.where(dead, rng.uniform(1, 365, 100), np.nan)
        known = np.where(dead, death, np.where(rng.random(100) < 0.17, rng.uniform(60, 365, 100), 365.0))
        values[np.array([91, 183, 274, 365.0]) > known[:, None]] = np.nan
        first, second = (
            Fates(values[part], death[part], known[part]) for part in (slice(50), slice(50, None))
        )
        hits.append(compare(first, second).p < 0.05)
    told = "simulated trials, 2 x 50, one in eight dead, one in six lost"
    base = {"population": told, "reference": "simulated truth"}
    yield {"metric": "type I error at 5 %, win probability, 2 x 50", **share(np.array(hits), ERROR), **base}


def main() -> None:
    """Compute, print and write."""
    evidence_table.write(rows, about=ABOUT, table=TABLE)


if __name__ == "__main__":
    main()
