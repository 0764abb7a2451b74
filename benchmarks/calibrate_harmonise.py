"""Hold harmonisation against simulated truth: what sites leave behind, what biology is kept, and what leaks.

Run ``python -m benchmarks.calibrate_harmonise``. Cohorts are drawn and judged here, apart from the package's
arithmetic; the classifier is written out below. Seeds were fixed before the first run; nothing was tuned.
"""

import argparse
import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.table import write_table
from myoproof.errors import InvalidInput
from myoproof.evidence.leakage import check
from myoproof.numerics.combat import apply, fit
from myoproof.numerics.folds import folds, harmonised

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "harmonise.csv"
SEED = 61_000
ABOUT = "combat@1"
REPLICATES = 500
PERMUTATIONS = 400
SITES, FEATURES = 6, 30
SHIFT_SD, SCALE = 0.3, (0.8, 1.25)
RIDGE = 1.0


def cohort(
    rng: np.random.Generator, *, n: int, unbalanced: float = 0.0
) -> tuple[Floats, npt.NDArray[np.str_], Floats, Floats]:
    """Values, sites, covariates (age, diagnosis) and true effects; n subjects a site.

    ``unbalanced`` is how far the share of patients moves from 0.5 between the first and the last site.
    """
    at = np.repeat(np.arange(SITES), n)
    share = 0.5 + unbalanced * np.linspace(-1, 1, SITES)
    covariates = np.column_stack([rng.normal(size=len(at)), rng.random(len(at)) < share[at]]).astype(float)
    effects = rng.normal(0, 0.4, size=(2, FEATURES))
    latent = rng.normal(size=(len(at), 3)) @ rng.normal(0, 0.4, size=(3, FEATURES))
    noise = latent + rng.normal(0, np.sqrt(0.52), size=(len(at), FEATURES))
    scale = np.sqrt(rng.uniform(*SCALE, size=(SITES, FEATURES)))
    shift = rng.normal(0, SHIFT_SD, size=(SITES, FEATURES))
    values = covariates @ effects + shift[at] + scale[at] * noise
    return values, np.array([f"site-{k}" for k in at]), covariates, effects


def effects_of(values: Floats, covariates: Floats) -> Floats:
    """Least-squares effects of the covariates, sites not adjusted for."""
    x = np.column_stack([np.ones(len(values)), covariates])
    return np.linalg.lstsq(x, values, rcond=None)[0][1:]


def share_of(values: Floats, sites: npt.NDArray[np.str_], covariates: Floats) -> float:
    """Median over features of the adjusted share of variance that the sites explain."""
    rest = np.column_stack([np.ones(len(values)), covariates])
    full = np.column_stack([rest, (sites[:, None] == np.unique(sites)[1:]).astype(float)])
    left = [mean_square(design, values) for design in (full, rest)]
    return float(np.median(1 - left[0] / left[1]))


def mean_square(design: Floats, values: Floats) -> Floats:
    """Residual mean square of each feature."""
    residual = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return (residual**2).sum(axis=0) / (len(values) - design.shape[1])


def kept(found: Floats, true: Floats) -> float:
    """Slope of found on true effects over features and covariates."""
    return float((found * true).sum() / (true**2).sum())


def summed(values: list[float]) -> Row:
    """Mean and its 95 % Monte Carlo interval."""
    mean, half = np.mean(values), 1.96 * np.std(values, ddof=1) / np.sqrt(len(values))
    return {"value": mean, "low": mean - half, "high": mean + half, "level": 0.95, "n": len(values)}


def at_most(row: Row, most: float) -> Row:
    """Verdict of an upper bound, on the interval."""
    verdict = "pass" if row["high"] <= most else "fail" if row["low"] > most else "inconclusive"
    return {**row, "criterion": f"at most {most:g}", "verdict": verdict}


def at_least(row: Row, least: float) -> Row:
    """Verdict of a lower bound, on the interval."""
    verdict = "pass" if row["low"] >= least else "fail" if row["high"] < least else "inconclusive"
    return {**row, "criterion": f"at least {least:g}", "verdict": verdict}


def removal_rows() -> Iterator[Row]:
    """Site variance and biology, on the subjects it was fitted on and on new ones."""
    for n in (30, 100):
        found: dict[str, list[float]] = {
            name: [] for name in ("before", "same", "new", "kept same", "kept new")
        }
        for replicate in range(REPLICATES):
            rng = np.random.default_rng([SEED, n, replicate])
            values, sites, covariates, true = cohort(rng, n=2 * n, unbalanced=0.3)
            train = np.arange(len(sites)) % 2 == 0
            model = fit(values[train], sites[train], covariates[train])
            found["before"].append(share_of(values[train], sites[train], covariates[train]))
            for part, name in ((train, "same"), (~train, "new")):
                even = apply(model, values[part], sites[part], covariates[part])
                found[name].append(share_of(even, sites[part], covariates[part]))
                found[f"kept {name}"].append(kept(effects_of(even, covariates[part]), true))
        about = (
            f"{SITES} sites of {n}, {FEATURES} features, site shifts of {SHIFT_SD} SD, unbalanced diagnosis"
        )
        told = {"population": f"simulated, {about}", "reference": "simulated truth"}
        yield {"metric": "site share of variance before", **summed(found["before"]), **told}
        for name, where in (("same", "the fitted subjects"), ("new", "new subjects of the same sites")):
            yield {
                "metric": f"site share of variance after, {where}",
                **at_most(summed(found[name]), 0.01),
                **told,
            }
            metric = f"share of true effects kept, {where}"
            yield {"metric": metric, **at_least(summed(found[f"kept {name}"]), 0.95), **told}


def ridge_scores(train: Floats, labels: Integers, test: Floats) -> Floats:
    """Scores of a ridge classifier, features standardised on the training rows."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    x, new = (train - mean) / deviation, (test - mean) / deviation
    target = labels - labels.mean()
    return new @ np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ target)


def area(scores: Floats, labels: Integers) -> float:
    """Area under the ROC curve; NaN where one class is missing."""
    positive = labels == 1
    if positive.all() or not positive.any():
        return float("nan")
    ranks = stats.rankdata(scores)
    n1 = positive.sum()
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * (len(labels) - n1)))


def small_cohort(rng: np.random.Generator) -> tuple[Floats, npt.NDArray[np.str_]]:
    """Features of 80 subjects at 8 sites, half a standard deviation apart."""
    at = np.repeat(np.arange(8), 10)
    values = rng.normal(0, 0.5, size=(8, 60))[at] + rng.normal(size=(80, 60))
    return values, np.array([f"site-{k}" for k in at])


def within(values: Floats, sites: npt.NDArray[np.str_]) -> Callable[[Integers, np.random.Generator], float]:
    """Harmonised inside each fold: what the product does."""

    def analysis(labels: Integers, rng: np.random.Generator) -> float:
        cut = folds(np.arange(len(labels)), rng=rng, strata=sites)
        parts = harmonised(values, sites, cut)
        return float(
            np.nanmean([area(ridge_scores(a, labels[f.train], b), labels[f.test]) for f, a, b in parts])
        )

    return analysis


def before_split(
    values: Floats, sites: npt.NDArray[np.str_], *, keep: bool
) -> Callable[[Integers, np.random.Generator], float]:
    """Harmonised on all subjects before the split, diagnosis kept or not: what must not be done."""

    def analysis(labels: Integers, rng: np.random.Generator) -> float:
        covariates = labels[:, None].astype(float) if keep else None
        even = apply(fit(values, sites, covariates), values, sites, covariates)
        cut = folds(np.arange(len(labels)), rng=rng, strata=sites)
        scores = [
            area(ridge_scores(even[f.train], labels[f.train], even[f.test]), labels[f.test]) for f in cut
        ]
        return float(np.nanmean(scores))

    return analysis


def leak_rows() -> Iterator[Row]:
    """The leak audit on three ways to harmonise, outcomes permuted."""
    rng = np.random.default_rng([SEED, 7])
    values, sites = small_cohort(rng)
    labels = (np.arange(len(sites)) % 2).astype(np.int64)
    ways = {
        "harmonised within folds": within(values, sites),
        "planted leak: all subjects harmonised before the split": before_split(values, sites, keep=False),
        "planted leak: before the split, diagnosis kept": before_split(values, sites, keep=True),
    }
    for name, analysis in ways.items():
        told = f"simulated, 80 subjects of 8 sites, 60 features without signal; {name}"
        row = check(
            analysis, labels, rng=np.random.default_rng([SEED, 8]), repeats=PERMUTATIONS, population=told
        )
        found = row.iloc[0].to_dict()
        if name.startswith("planted"):
            found |= {"criterion": "", "verdict": ""}
        yield {**found, "metric": f"AUC on permuted outcomes, {name}"}


def comparison_rows() -> Iterator[Row]:
    """Type I error of comparing groups: after ComBat as if nothing was done, and in a model with sites."""
    naive, modelled = [], []
    for replicate in range(REPLICATES):
        rng = np.random.default_rng([SEED, 9, replicate])
        at = np.repeat(np.arange(6), 10)
        group = (rng.random(60) < np.linspace(0.15, 0.85, 6)[at]).astype(float)
        values = rng.normal(0, 0.5, size=(6, 30))[at] + rng.normal(size=(60, 30))
        sites = np.array([f"site-{k}" for k in at])
        try:
            even = apply(fit(values, sites, group[:, None]), values, sites, group[:, None])
        except InvalidInput:
            continue
        naive.append(float((stats.ttest_ind(even[group == 1], even[group == 0]).pvalue < 0.05).mean()))
        x = np.column_stack([(at[:, None] == np.arange(6)).astype(float), group])
        inverse = np.linalg.inv(x.T @ x)
        beta = inverse @ x.T @ values
        rest = values - x @ beta
        se = np.sqrt((rest**2).sum(axis=0) / 53 * inverse[-1, -1])
        modelled.append(float((np.abs(beta[-1] / se) > stats.t.ppf(0.975, 53)).mean()))
    told = {
        "population": "simulated, 6 sites of 10 with 15 to 85 % patients, no group effect",
        "reference": "0.05",
    }
    metric = "type I error of a t-test after ComBat with the group kept (do not do this)"
    yield {"metric": metric, **summed(naive), **told}
    yield {"metric": "type I error of a model with the sites, nothing harmonised", **summed(modelled), **told}


def refusal_rows() -> Iterator[Row]:
    """Designs in which the sites are the diagnosis: every one must be refused."""
    refused = 0
    for replicate in range(REPLICATES):
        rng = np.random.default_rng([SEED, 11, replicate])
        values, sites, _, _ = cohort(rng, n=10)
        sick = (sites >= f"site-{rng.integers(1, SITES)}").astype(float)
        try:
            fit(values, sites, sick[:, None])
        except InvalidInput:
            refused += 1
    yield {
        "metric": "confounded designs refused",
        "value": refused / REPLICATES,
        "n": REPLICATES,
        "population": "simulated, sites hold patients only or controls only",
        "criterion": "at least 1",
        "verdict": "pass" if refused == REPLICATES else "fail",
    }


def main() -> None:
    """Compute, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE)
    out = parser.parse_known_args()[0].out
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    made = {"about": ABOUT, "kind": "calibration", "date": day, "version": __version__}
    rows = [*removal_rows(), *leak_rows(), *comparison_rows(), *refusal_rows()]
    frame = evidence_frame([{**row, **made} for row in rows])
    numbers = ["value", "low", "high"]
    frame[numbers] = frame[numbers].round(4)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_table(frame, out)
    print(frame[["metric", *numbers, "n", "criterion", "verdict"]].to_string(index=False))


if __name__ == "__main__":
    main()
