"""Hold the multi-echo measure against simulated truth: separation, T1 correction, swaps, interval coverage.

Run ``python -m benchmarks.calibrate_multiecho``. Seeds and numbers of replicates of the validation were fixed
before it was first run; ``--development N`` uses other seeds and writes nothing. What was simulated is kept
in a folder as it comes, so that a run that was stopped goes on where it was. ``--segmenter thigh`` draws the
masks of the coverage part by the shipped network instead of the simulated rater, runs that part alone and
writes a table of its own.
"""

import argparse
import datetime
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.multiecho_parts import coverage, doubts, hard, muscles, relaxation, swaps, voxels
from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.provenance import provenance_id
from myoproof.core.table import write_table
from myoproof.evidence.verdicts import Range, judge
from myoproof.measures.multiecho import METHOD, METHOD_VERSION
from myoproof.numerics.clustered import clustered_share

Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "multiecho.csv"
PREDICTED = TABLE.with_name("multiecho_predicted.csv")
VALIDATION_SEED, DEVELOPMENT_SEED = 52_000, 1_303
COUNTS = {"voxels": 8, "muscles": 24, "coverage": 64, "swaps": 30, "hard": 6}
"""Scenes or subjects of each part."""
DRAWS = 4000
"""Draws of T1 and B1."""
PARTS: dict[str, Callable[..., pd.DataFrame]] = {
    "voxels": voxels,
    "muscles": muscles,
    "coverage": coverage,
    "swaps": swaps,
    "hard": hard,
}
COVERAGE = Range(0.93, 0.97)
SIMULATED = "simulated thighs"
STRATA = {
    "all muscles": lambda rows: np.ones(len(rows), dtype=bool),
    "fat fraction below 20 %": lambda rows: rows["fat_true"] < 0.2,
    "fat fraction 20-50 %": lambda rows: (rows["fat_true"] >= 0.2) & (rows["fat_true"] <= 0.5),
    "fat fraction above 50 %": lambda rows: rows["fat_true"] > 0.5,
    "small muscles": lambda rows: rows["small"] == 1,
    "large muscles": lambda rows: rows["small"] == 0,
}


@dataclass(frozen=True, slots=True)
class Run:
    """The seed, how many of each part, and who draws the masks."""

    seed: int
    counts: dict[str, int]
    segmenter: str
    folder: Path
    backwards: bool = False


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, measure, judge; write the table unless the run is a development one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--development", type=int, metavar="N", help="N of each part on other seeds, no table"
    )
    parser.add_argument("--only", choices=[*PARTS, "relaxation"], help="one part, no table")
    parser.add_argument("--backwards", action="store_true", help="a second process: from the last subject on")
    parser.add_argument("--segmenter", choices=["drawn", "thigh"], default="drawn")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "myoproof-calibrate-multiecho"
    )
    options, _ = parser.parse_known_args(arguments)
    run = Run(VALIDATION_SEED, COUNTS, options.segmenter, options.folder, options.backwards)
    if options.development:
        counts = dict.fromkeys(COUNTS, options.development)
        run = Run(DEVELOPMENT_SEED, counts, options.segmenter, options.folder)
    parts = [*PARTS, "relaxation"] if options.segmenter == "drawn" else ["coverage"]
    rows = [row for part in parts if options.only in (None, part) for row in evidence(part, run)]
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    stamp = {"about": f"{METHOD}@{METHOD_VERSION}", "date": date, "version": __version__}
    table = evidence_frame({**stamp, "level": 0.95 if "low" in row else np.nan, **row} for row in rows)
    with pd.option_context("display.width", 220, "display.max_rows", 300, "display.max_colwidth", 90):
        print(table[["population", "metric", "value", "low", "high", "verdict"]].to_string(index=False))
    if not (options.development or options.only or options.backwards):
        write_table(table, TABLE if options.segmenter == "drawn" else PREDICTED)


def evidence(part: str, run: Run) -> Iterator[Row]:
    """The evidence rows of one part."""
    if part == "relaxation":
        yield from relaxation_rows(relaxation(np.random.default_rng([run.seed, 5]), DRAWS))
        yield from doubt_rows(doubts(np.random.default_rng([run.seed, 6]), DRAWS))
        return
    makers = {"voxels": voxel_rows, "muscles": muscle_rows, "coverage": coverage_rows, "swaps": swap_rows}
    makers["hard"] = hard_rows
    yield from makers[part](simulated(part, run), run)


def simulated(part: str, run: Run) -> pd.DataFrame:
    """What one part simulated and measured, subject by subject, kept as it comes."""
    name = provenance_id(
        act=f"{METHOD}@{METHOD_VERSION}",
        parameters={"part": part, "segmenter": run.segmenter, "version": __version__},
        inputs=[str(run.seed)],
    )
    kept = run.folder / name
    kept.mkdir(parents=True, exist_ok=True)
    order = range(run.counts[part])
    for i in reversed(order) if run.backwards else order:
        path = kept / f"{part}-{i:04d}.csv"
        if not path.exists():
            rng = np.random.default_rng([run.seed, list(PARTS).index(part), i])
            found = PARTS[part](rng, i, run.segmenter)
            temporary = path.with_suffix(f".{os.getpid()}.part")
            found.assign(subject=i).to_csv(temporary, index=False)
            temporary.replace(path)
    frames = [pd.read_csv(kept / f"{part}-{i:04d}.csv") for i in order]
    return pd.concat(frames, ignore_index=True)


def judged(metric: str, allowed: Range, value: float, low: float = np.nan, high: float = np.nan) -> Row:
    """A value, its interval where there is one, and the verdict."""
    row: Row = {"metric": metric, "value": value, "criterion": f"{allowed}"}
    if np.isfinite(low):
        row |= {"low": low, "high": high}
    return {**row, "verdict": judge(value, allowed, low=low, high=high)}


def bootstrap(values: pd.Series, statistic: Callable[[np.ndarray], float], seed: int) -> tuple[float, float]:
    """95 % interval of a statistic over subjects (percentiles of 1,000 resamples of whole subjects)."""
    groups = [group.to_numpy() for _, group in values.groupby(level=0)]
    rng = np.random.default_rng(seed)
    found = [
        statistic(np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))]))
        for _ in range(1000)
    ]
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)


def voxel_rows(rows: pd.DataFrame, run: Run) -> Iterator[Row]:
    """Bias and precision of single voxels of little fat against the Cramer-Rao bound."""
    population = (
        "simulated uniform scenes, 6 echoes, SNR 50, field +-300 Hz, R2* 20-200 1/s, fat fraction 0-5 %"
    )
    common = {"population": population, "reference": "phantom truth", "n": rows["subject"].nunique()}
    by_scene = rows.groupby("subject")
    ratio = by_scene.apply(
        lambda g: float(np.sqrt(g["squared"].sum() / g["bound"].sum())), include_groups=False
    )
    bias = 100 * by_scene.apply(lambda g: float(g["sum"].sum() / g["n"].sum()), include_groups=False)
    for metric, values, allowed in (
        ("voxel SD of fat fraction over the Cramer-Rao bound", ratio, Range(at_most=1.1)),
        ("voxel bias of fat fraction, points", bias, Range(-0.1, 0.1)),
    ):
        half = 1.96 * float(values.std()) / np.sqrt(len(values))
        mean = float(values.mean())
        yield {**common, "kind": "agreement", **judged(metric, allowed, mean, mean - half, mean + half)}
    strata = rows.groupby(["fat", "r2star"])
    worst = 100 * strata["sum"].sum() / strata["n"].sum()
    place = worst.abs().idxmax()
    metric = (
        f"voxel bias of fat fraction, points, worst of fat and R2*: {100 * place[0]:g} %, {place[1]:g} 1/s"
    )
    yield {**common, "kind": "agreement", **judged(metric, Range(-0.1, 0.1), float(worst[place]))}
    ratios = np.sqrt(strata["squared"].sum() / strata["bound"].sum())
    metric = "voxel SD over the Cramer-Rao bound, worst of fat and R2*"
    yield {**common, "kind": "agreement", **judged(metric, Range(at_most=1.1), float(ratios.max()))}
    stated = np.sqrt(rows["stated"].sum() / rows["squared"].sum())
    yield {
        **common,
        "kind": "agreement",
        "metric": "stated voxel SD over the true one",
        "value": float(stated),
    }
    del run


def muscle_rows(rows: pd.DataFrame, run: Run) -> Iterator[Row]:
    """Limits of agreement of whole muscles, swaps and their flags."""
    population = (
        f"{SIMULATED}, both legs, 1.5 mm, 6 echoes, SNR 50, field +-300 Hz, R2* 20-200 1/s, true masks"
    )
    common = {
        "population": population,
        "reference": "true voxels within the mask",
        "n": rows["subject"].nunique(),
    }
    error = (100 * rows["error"]).set_axis(rows["subject"])

    def farthest(values: np.ndarray) -> float:
        return float(np.abs(values.mean() + 1.96 * values.std(ddof=1) * np.array([-1, 1])).max())

    low, high = bootstrap(error, farthest, run.seed)
    metric = "farther limit of agreement of fat fraction, points"
    yield {
        **common,
        "kind": "agreement",
        **judged(metric, Range(at_most=0.5), farthest(error.to_numpy()), low, high),
    }
    yield {
        **common,
        "kind": "agreement",
        "metric": "bias of fat fraction, points",
        "value": float(error.mean()),
    }
    per = rows.groupby("subject")[["n", "swapped", "swapped_flagged", "flagged_correct"]].sum()
    total = per.sum()
    correct = total["n"] - total["swapped"]
    yield {
        **common,
        "kind": "agreement",
        **judged("share of voxels swapped", Range(at_most=0.001), float(total["swapped"] / total["n"])),
    }
    flagged = float(total["swapped_flagged"] / total["swapped"]) if total["swapped"] else np.nan
    metric = f"share of the {int(total['swapped'])} swapped voxels that are flagged"
    yield {**common, "kind": "agreement", **judged(metric, Range(at_least=1.0), flagged)}
    metric = "share of correct voxels that are flagged"
    share = float(total["flagged_correct"] / correct)
    yield {**common, "kind": "agreement", **judged(metric, Range(at_most=0.01), share)}


def hard_rows(rows: pd.DataFrame, run: Run) -> Iterator[Row]:
    """What is flagged where swaps do occur."""
    del run
    population = f"{SIMULATED}, both legs, 3 echoes from 3.45 ms, SNR 12, field +-300 Hz, R2* 20-200 1/s"
    common = {
        "population": population,
        "reference": "true voxels within the mask",
        "n": rows["subject"].nunique(),
    }
    total = rows[["n", "swapped", "swapped_flagged", "flagged_correct"]].sum()
    correct = total["n"] - total["swapped"]
    for metric, value in (
        ("share of voxels swapped", total["swapped"] / total["n"]),
        (f"share of the {int(total['swapped'])} swapped voxels that are flagged",
         total["swapped_flagged"] / max(total["swapped"], 1)),
        ("share of correct voxels that are flagged", total["flagged_correct"] / correct),
    ):  # fmt: skip
        yield {**common, "kind": "agreement", "metric": metric, "value": float(value)}


def coverage_rows(rows: pd.DataFrame, run: Run) -> Iterator[Row]:
    """Share of muscles whose interval holds the truth, by measure, fat and size."""
    who = "masks of the simulated rater" if run.segmenter == "drawn" else "masks of the shipped network"
    n = rows["subject"].nunique()
    population = (
        f"{SIMULATED}, both legs, dystrophy and ALS, T1, B1 and fat spectrum of each subject drawn, "
        f"TR 10 ms, flip angle 3 deg, SNR 50, {who}"
    )
    common = {"population": population, "reference": "phantom truth, noise-free fine grid", "n": n}
    for measure, part in rows.groupby("measure", sort=False):
        held = (part["low"] <= part["true"]) & (part["true"] <= part["high"])
        for stratum, rule in STRATA.items():
            chosen = np.asarray(rule(part))
            if chosen.sum() < 20:
                continue
            share = clustered_share(held[chosen], part.loc[chosen, "subject"])
            metric = f"95 % interval of {measure}, {stratum}"
            yield {
                **common,
                "kind": "coverage",
                **judged(metric, COVERAGE, share.value, share.low, share.high),
            }
        error = part["value"] - part["true"]
        relative = "" if measure.startswith("fat") else ", relative"
        error = error if measure.startswith("fat") else error / part["true"]
        width = (part["high"] - part["low"]) / 2 / (1.0 if measure.startswith("fat") else part["true"])
        for name, value in (("bias", error.mean()), ("median half-width of the interval", width.median())):
            yield {
                **common,
                "kind": "agreement",
                "metric": f"{name} of {measure}{relative}",
                "value": float(value),
            }


def swap_rows(rows: pd.DataFrame, run: Run) -> Iterator[Row]:
    """How often swaps of scanner-made images are found, and invented."""
    del run
    for kind, part in rows.groupby("legs", sort=False):
        population = f"{SIMULATED}, fat and water images at SNR 30, {kind}"
        common = {"population": population, "reference": "planted swaps", "n": part["subject"].nunique()}
        for pattern, own in part[part["planted"] == 1].groupby("pattern", sort=False):
            share = clustered_share(own["found"] == 1, own["subject"])
            row = {"metric": f"slices of legs found, {pattern}", "value": share.value}
            yield {**common, "kind": "agreement", **row, "low": share.low, "high": share.high}
        clean = part[part["planted"] == 0]
        share = clustered_share(clean["found"] == 1, clean["subject"])
        row = {"metric": "slices of legs without a swap in which one is found", "value": share.value}
        yield {**common, "kind": "agreement", **row, "low": share.low, "high": share.high}


def relaxation_rows(rows: pd.DataFrame) -> Iterator[Row]:
    """The T1 targets: exact T1; drawn T1 and B1; a B1 map."""
    population = (
        f"{DRAWS} draws: T1 of water 1420 +- 150, of fat 371 +- 40 ms, B1 1 +- 0.15; TR 10 ms, flip 10 deg"
    )
    common = {"population": population, "reference": "steady-state formula", "n": DRAWS}
    exact = 100 * rows["exact"].abs().max()
    metric = "largest bias of the corrected fat fraction with exact T1 and B1, points"
    yield {**common, "kind": "agreement", **judged(metric, Range(at_most=0.1), float(exact))}
    before = 100 * rows.loc[rows["fat"] == 0.5, "before"].mean()
    yield {
        **common,
        "kind": "agreement",
        "metric": "bias before correction at 50 % fat, points",
        "value": float(before),
    }
    for case, part in rows.groupby("case", sort=False):
        error = 100 * part.groupby("fat")["error"].mean()
        place = error.abs().idxmax()
        metric = f"mean bias of the corrected fat fraction, {case}, points, worst at {100 * place:g} % fat"
        own = 100 * part.loc[part["fat"] == place, "error"]
        half = 1.96 * own.std() / np.sqrt(len(own))
        yield {
            **common,
            "kind": "agreement",
            **judged(
                metric,
                Range(-0.5, 0.5),
                float(error[place]),
                float(error[place] - half),
                float(error[place] + half),
            ),
        }
        spread = 100 * part.loc[part["fat"] == 0.5, "error"].std()
        yield {
            **common,
            "kind": "agreement",
            "metric": f"SD over subjects at 50 % fat, {case}, points",
            "value": float(spread),
        }
        one = part[part["fat"] == 0.5]
        share = clustered_share(one["held"] == 1, one["subject"])
        metric = f"95 % interval of fat fraction, {case}"
        yield {**common, "kind": "coverage", **judged(metric, COVERAGE, share.value, share.low, share.high)}


def doubt_rows(rows: pd.DataFrame) -> Iterator[Row]:
    """The doubts that a whole scan shares, taken together."""
    for (angle, fat), part in rows.groupby(["angle", "fat"]):
        population = (
            f"{DRAWS} draws of T1, B1 and double bonds as declared; TR 10 ms, flip {angle:g} deg, no noise"
        )
        share = clustered_share(part["held"] == 1, part["subject"])
        metric = f"95 % interval of shared doubts, fat fraction {100 * fat:g} %"
        own = judged(metric, COVERAGE, share.value, share.low, share.high)
        yield {"kind": "coverage", "population": population, "reference": "formula", "n": DRAWS, **own}


if __name__ == "__main__":
    main()
