"""A study run again on cohorts in which there is nothing to find: what it would have found there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from myoproof.core.atomic import atomic_folder
from myoproof.core.contracts import NullCohorts, NullOf, Progress, StudyKind, silent
from myoproof.core.result import Result
from myoproof.core.study import Study, read_study
from myoproof.core.table import is_simulated, write_table
from myoproof.errors import InvalidInput, MyoproofError
from myoproof.registry import load
from myoproof.workflow import folder as study_folder

ALPHA = 0.05
"""Level at which a p-value counts as found."""
SUMMARY = [
    "analysis",
    "tests",
    "found_really",
    "found_under_null",
    "share_of_tests",
    "share_of_cohorts",
    "low",
    "high",
    "n_cohorts",
]
FOUND = ["cohort", "analysis", "term", "group", "method", "value", "p", "p_adjusted"]


@dataclass(frozen=True, slots=True)
class NullRun:
    """What a study finds really and where there is nothing.

    Parameters
    ----------
    study : Study
        The study.
    what : str
        What was taken away.
    summary : DataFrame
        One row an analysis: ``tests``, findings in the real cohort (``found_really``) and, on average, in a
        null cohort (``found_under_null``), the share of tests found there, and the share of null cohorts with
        at least one finding (``low`` to ``high`` its 95 % Clopper-Pearson interval).
    found : DataFrame
        Each finding in a null cohort, counted from 1; cohort 0 is the real one.
    simulated : bool
        Whether the cohort given was simulated itself.
    """

    study: Study
    what: str
    summary: pd.DataFrame
    found: pd.DataFrame
    simulated: bool


def run_null(
    study_path: Path,
    cohort_path: Path,
    out: Path,
    *,
    replicates: int = 20,
    threads: int = 1,
    progress: Progress | None = None,
) -> NullRun:
    """Run a study on its cohort and on null cohorts made from it, and save what was found in each.

    A finding is a row whose p-value (adjusted within its family where it is) is at most 0.05, or a claim of
    subtypes.

    Parameters
    ----------
    study_path, cohort_path : Path
        Study TOML and its cohort.
    out : Path
        Folder: new, empty or an earlier null run.
    replicates : int
        Null cohorts.
    threads : int
        The answer is the same for any number.
    progress : callable, optional
        Told (what, share done).

    Raises
    ------
    NotReadable, InvalidInput, UnknownName, NotWritable
        For faulty input or output, or a study kind without a null.
    """
    tell = progress or silent
    if replicates < 1:
        raise InvalidInput(f"{replicates} null cohorts", mend="at least 1")
    study_folder.refuse_foreign(out, "null-run")
    study = read_study(study_path)
    cohort = study_folder.read_cohort(cohort_path)
    kind: StudyKind = load("studies", study.kind)
    prepare: NullOf = load("nulls", study.kind)
    nulls = prepare(cohort, study)
    tell("the real cohort", 0.0)
    real = kind(cohort, study, rng=np.random.default_rng(study.seed), threads=threads)
    found = [_findings(real, 0)]
    absent: list[str] = []
    for number, rng in enumerate(np.random.default_rng([study.seed, 1]).spawn(replicates), start=1):
        tell(f"null cohort {number} of {replicates}", number / (replicates + 1))
        result = _run_one(kind, nulls, rng, threads)
        found.append(_findings(result, number) if isinstance(result, Result) else _findings(real, -1))
        absent += [] if isinstance(result, Result) else [str(result)]
    if len(absent) == replicates:
        raise InvalidInput(f"no null cohort could be studied: {absent[0]}", where=study.name)
    everything = pd.concat(found, ignore_index=True)
    run = NullRun(
        study,
        nulls.what,
        pd.DataFrame(list(_summary(real, everything, replicates - len(absent))), columns=SUMMARY),
        everything,
        is_simulated(cohort.measurements),
    )
    _save(run, out)
    tell("done", 1.0)
    return run


def _run_one(
    kind: StudyKind, nulls: NullCohorts, rng: np.random.Generator, threads: int
) -> Result | MyoproofError:
    try:
        cohort, study = nulls.draw(rng)
        return kind(cohort, study, rng=rng, threads=threads)
    except MyoproofError as error:
        return error


def _tests(result: Result) -> pd.DataFrame:
    """Rows that are tests or claims, with ``p`` as it is judged."""
    rows = result.estimates
    judged = rows["p_adjusted"].where(rows["p_adjusted"].notna(), rows["p"])
    claim = (rows["analysis"] == "decision") & (rows["group"] == "claim")
    judged = judged.where(~claim, (rows["value"] <= 0).astype(np.float64))
    part_of_claim = rows["analysis"].isin(["null", "decision"]) & ~claim
    judged_rows: pd.DataFrame = rows.assign(judged=judged)[judged.notna() & ~part_of_claim]
    return judged_rows


def _findings(result: Result, number: int) -> pd.DataFrame:
    rows = _tests(result)
    rows = rows[(rows["judged"] <= ALPHA) & (number >= 0)]
    return rows.assign(cohort=number)[FOUND]


def _summary(real: Result, found: pd.DataFrame, n: int) -> Iterator[dict[str, Any]]:
    for analysis, tests in _tests(real).groupby("analysis", sort=False):
        rows = found[found["analysis"] == analysis]
        null = rows[rows["cohort"] > 0]
        hit = null["cohort"].nunique()
        interval = stats.binomtest(hit, n).proportion_ci(0.95)
        yield {
            "analysis": analysis,
            "tests": len(tests),
            "found_really": int((rows["cohort"] == 0).sum()),
            "found_under_null": len(null) / n,
            "share_of_tests": len(null) / n / len(tests),
            "share_of_cohorts": hit / n,
            "low": float(interval.low),
            "high": float(interval.high),
            "n_cohorts": n,
        }


def _save(run: NullRun, out: Path) -> None:
    stamp = f"{run.study.name}@{run.study.digest}"
    with atomic_folder(out) as temporary:
        study_folder.claim(temporary, "null-run")
        write_table(run.summary.assign(study=stamp), temporary / "null.csv")
        write_table(run.found.assign(study=stamp), temporary / "found.csv")
        write_page = load("writers", "null-page")
        write_page(
            run.study, run.what, run.summary, run.found, simulated=run.simulated, out=temporary / "null.html"
        )
