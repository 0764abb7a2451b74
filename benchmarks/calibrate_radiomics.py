"""Hold the intervals of radiomic features against simulated truth: drawn masks beside the true ones.

Run ``python -m benchmarks.calibrate_radiomics``. Seeds were fixed before it was first run; constants were set
on those of ``--development N``, which writes nothing, and the border model is that of the Dixon measure. Each
feature of a drawn region comes with its interval; the same feature of the true region, in the same image, is
the truth. Thighs are kept in a folder as they come.
"""

import argparse
import datetime
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.table import write_table
from myoproof.evidence.verdicts import Range, judge
from myoproof.measures.radiomics import METHOD, METHOD_VERSION, Params, measured
from myoproof.numerics.clustered import clustered_share
from myoproof.phantoms.dixon import ThighParams, thigh

Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "radiomics.csv"
VALIDATION_SEED, DEVELOPMENT_SEED = 61_000, 47
THIGHS = {"dystrophy": 6, "als": 4}
SCAN: dict[str, Any] = {"n_slices": 5}
COVERAGE = Range(0.93, 0.97)
POPULATION = "simulated thighs, 6 with dystrophy and 4 with ALS, drawn masks, 32 grey levels, 20 replicates"
KEYS = ["site", "side", "method", "measure"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, measure, judge; write the table unless the run is a development one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", type=int, metavar="N", help="N thighs of the development seed")
    place = Path(tempfile.gettempdir()) / "myoproof-calibrate-radiomics"
    parser.add_argument("--folder", type=Path, default=place)
    options = parser.parse_args(arguments)
    seed, counts = VALIDATION_SEED, THIGHS
    if options.development:
        seed, counts = DEVELOPMENT_SEED, {"dystrophy": options.development}
    start = time.perf_counter()
    rows, stable = compared(seed, counts, options.folder)
    print(f"{len(rows)} rows, {time.perf_counter() - start:.0f} s")
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    stamp = {"about": f"{METHOD}@{METHOD_VERSION}", "date": date, "version": __version__}
    found = [*coverage_rows(rows), *stability_rows(stable)]
    evidence = evidence_frame([{**stamp, "population": POPULATION, **row} for row in found])
    with pd.option_context("display.width", 200, "display.max_rows", 250, "display.max_colwidth", 90):
        print(evidence[["kind", "metric", "value", "low", "high", "verdict"]].to_string(index=False))
    if not options.development:
        write_table(evidence, TABLE)


def compared(seed: int, counts: dict[str, int], folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drawn and true features of every region, and the stability of each feature in each thigh."""
    kept = folder / f"{METHOD_VERSION}-{seed}-{Params().replicates}"
    kept.mkdir(parents=True, exist_ok=True)
    parts, stable = [], []
    for pattern, count in counts.items():
        for i in range(count):
            path = kept / f"{pattern}-{i:04d}.csv"
            beside = path.with_suffix(".stability.csv")
            if not path.exists():
                rows, icc = one_thigh(seed, pattern, i)
                icc.to_csv(beside, index=False)
                rows.to_csv(path, index=False)
            parts.append(pd.read_csv(path))
            stable.append(pd.read_csv(beside))
    return pd.concat(parts, ignore_index=True), pd.concat(stable, ignore_index=True)


def one_thigh(seed: int, pattern: Any, i: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One thigh, its drawn mask with intervals and its true mask without."""
    params = ThighParams(pattern=pattern, subject=f"{pattern}-{i:04d}", **SCAN)
    scan = thigh(rng=np.random.default_rng([seed, len(pattern), i]), params=params)
    drawn = measured(scan.acquisition, scan.segmentation)
    exact = measured(scan.acquisition, scan.exact, params=Params(replicates=0)).rows
    both = drawn.rows[[*KEYS, "value", "low", "high", "flags"]].merge(
        exact[[*KEYS, "value"]], on=KEYS, suffixes=("", "_true")
    )
    return both.assign(thigh=params.subject), drawn.stability


def coverage_rows(rows: pd.DataFrame) -> Iterator[Row]:
    """Coverage of each family pooled, how many features hold it, and every feature that does not."""
    told = rows[rows["low"].notna() & rows["value_true"].notna()]
    told = told.assign(
        held=(told["low"] <= told["value_true"]) & (told["value_true"] <= told["high"]),
        family=told["measure"].str.partition("_")[0],
    )
    base = {"kind": "coverage", "reference": "features of the true region", "level": 0.95}
    base |= {"n": told["thigh"].nunique(), "criterion": f"{COVERAGE}"}
    for family, group in told.groupby("family", sort=False):
        yield {**base, "metric": f"95 % intervals of {family} features", **judged(group)}
    verdicts = {name: judged(group) for name, group in told.groupby("measure", sort=False)}
    for verdict in ("pass", "inconclusive", "fail"):
        share = np.mean([one["verdict"] == verdict for one in verdicts.values()])
        yield {
            "kind": "coverage",
            "metric": f"share of {len(verdicts)} features whose coverage of 93-97 %: {verdict}",
            "value": float(share),
            "n": base["n"],
            "reference": base["reference"],
        }
    for name, one in sorted(verdicts.items(), key=lambda pair: pair[1]["value"]):
        if one["verdict"] == "fail":
            yield {**base, "metric": f"95 % interval of {name}", **one}
    flagged = rows.loc[rows["low"].notna(), "flags"].fillna("").str.contains("unstable").mean()
    yield {"kind": "stability", "metric": "rows flagged unstable", "value": float(flagged), "n": base["n"]}


def judged(group: pd.DataFrame) -> Row:
    """Share of intervals that hold the truth, counted by thigh, with its verdict."""
    share = clustered_share(group["held"], group["thigh"])
    verdict = judge(share.value, COVERAGE, low=share.low, high=share.high)
    return {"value": share.value, "low": share.low, "high": share.high, "verdict": verdict}


def stability_rows(stable: pd.DataFrame) -> Iterator[Row]:
    """Median intraclass correlation of each family, and the features below 0.75."""
    each = stable.groupby("measure", sort=False)["icc"].median()
    family = each.index.str.partition("_").get_level_values(0)
    reference = "replicates of drawn borders"
    for name, group in each.groupby(list(map(str, family)), sort=False):
        metric = f"median ICC of {name} features over thighs"
        yield {"kind": "stability", "metric": metric, "value": group.median(), "reference": reference}
    for name, value in each[each < 0.75].sort_values().items():
        metric = f"median ICC of {name} over thighs"
        yield {"kind": "stability", "metric": metric, "value": value, "reference": reference}


if __name__ == "__main__":
    main()
