"""Data of the joint model's calibration and benchmark: R JM's aids and pbc2, and simulated subjects."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rdata

from myoproof.numerics.joint_types import JointForm, Repeated, Survival

DATA = Path(os.environ.get("MYOPROOF_DATA", "../shared/data")) / "stats_joint"


def reachable() -> bool:
    """Whether the real data are there."""
    return DATA.is_dir()


def _frames(name: str) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = rdata.read_rda(DATA / f"{name}.rda")[name]
        people = rdata.read_rda(DATA / f"{name}.id.rda")[f"{name}.id"]
    return rows, people


def aids() -> tuple[Repeated, Survival, JointForm]:
    """CD4 by month with a slope by drug; death by drug."""
    rows, people = _frames("aids")
    ddi = (people["drug"] == "ddI").to_numpy(float)

    def fixed(times: npt.NDArray[np.float64], subjects: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        return np.stack([np.ones_like(times), times, times * ddi[subjects]], axis=1)

    who = rows["patient"].astype(int).to_numpy() - 1
    repeated = Repeated(rows["CD4"].to_numpy(float), rows["obstime"].to_numpy(float), who)
    seen = people["death"].to_numpy() == 1
    survival = Survival(people["Time"].to_numpy(float), seen, ddi[:, None], names=("ddI",))
    return repeated, survival, JointForm(fixed=fixed, fixed_names=("intercept", "time", "time:ddI"))


def pbc2() -> tuple[Repeated, Survival, JointForm]:
    """Log bilirubin by year; death or transplantation by drug."""
    rows, people = _frames("pbc2")
    drug = (people["drug"] != "placebo").to_numpy(float)
    who = rows["id"].astype(int).to_numpy() - 1
    repeated = Repeated(np.log(rows["serBilir"].to_numpy(float)), rows["year"].to_numpy(float), who)
    seen = (people["status"] != "alive").to_numpy()
    survival = Survival(people["years"].to_numpy(float), seen, drug[:, None], names=("drug",))
    return repeated, survival, JointForm()


def simulated(
    seed: int | Sequence[int], n: int, *, alpha: float, late: bool = False
) -> tuple[Repeated, Survival]:
    """Level 0 (SD 1), slope -0.8 a year (SD 0.5), residual SD 0.4, hazard exp(-2 + alpha m(t))."""
    rng = np.random.default_rng(seed)
    b = rng.multivariate_normal([0, -0.8], [[1, 0.1], [0.1, 0.25]], n)
    grid = np.linspace(0, 8, 1601)
    hazard = np.exp(-2 + alpha * (b[:, :1] + b[:, 1:] * grid))
    steps = (hazard[:, 1:] + hazard[:, :-1]) / 2 * np.diff(grid)
    cumulative = np.concatenate([np.zeros((n, 1)), np.cumsum(steps, axis=1)], axis=1)
    level = rng.exponential(size=n)
    times = np.array([np.interp(level[i], cumulative[i], grid, right=9.0) for i in range(n)])
    entry = rng.uniform(0, 3, n) if late else np.zeros(n)
    kept = times > entry
    b, times, entry = b[kept], times[kept], entry[kept]
    leaving = entry + rng.uniform(2, 4, entry.size)
    seen, times = times <= leaving, np.minimum(times, leaving)
    visits = [np.arange(start, stop, 0.5) for start, stop in zip(entry, times, strict=True)]
    who = np.repeat(np.arange(times.size), [len(part) for part in visits])
    when = np.concatenate(visits)
    values = b[who, 0] + b[who, 1] * when + rng.normal(0, 0.4, when.size)
    return Repeated(values, when, who), Survival(times, seen, entry=entry if late else None)
