"""Evidence of propagation: change of volume and fat fraction over simulated visits, against truth.

Run ``python -m benchmarks.calibrate_followup``. The truth is what lies in the section of the limb that both
stacks show: areas and fat of the fine grid, slice by slice, of each scan as the person lies in it
(a turned leg of the simulation also changes its shape a little: warps and textures stay where they were).
"""

import argparse
import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.evidence.verdicts import Range, judge
from myoproof.numerics.clustered import cluster_jackknife, clustered_share
from myoproof.phantoms.dixon import Phantom, ThighParams, bilateral
from myoproof.phantoms.dixon_visit import Visit
from myoproof.phantoms.rater import dice
from myoproof.segmentation.propagate import VERSION, change, propagate

OUT = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "followup.csv"
SEEDS = range(9000, 9008)
"""Fixed beforehand; the registration's constants were set on other seeds (500-503)."""
PARAMS = ThighParams(
    voxel_mm=1.25, matrix=(172, 156), n_slices=16, slice_mm=6.0, gap_mm=0.0, water_snr=50.0, quantised=False
)
LIMITS = {"volume_change": 0.015, "fat_fraction_change": 0.003}
COVERAGE = Range(0.93, 0.97)
Floats = npt.NDArray[np.float64]


def pair(seed: int) -> tuple[Phantom, Phantom, float]:
    """First visit, the later one as it lies, and how much higher its stack lies."""
    rng = np.random.default_rng(seed + 1)
    radius = tuple((1 - np.abs(rng.normal(0.01, 0.01, 11))).tolist())
    fat = tuple(rng.normal(0.12, 0.1, 11).tolist())
    aside, forwards = rng.normal(0, 4, 2).tolist()
    turn_rad, higher_mm = float(rng.normal(0, 0.04)), float(rng.normal(0, 4))
    visit = Visit(1, radius, fat, shift_mm=(aside, forwards), turn_rad=turn_rad, stack_shift_mm=higher_mm)
    params = replace(PARAMS, pattern="als" if seed % 2 else "dystrophy")
    first, later = (
        bilateral(rng=np.random.default_rng(seed), params=replace(params, visit=when))
        for when in (Visit(), visit)
    )
    return first, later, higher_mm


def true_change(first: Phantom, later: Phantom, higher_mm: float) -> pd.DataFrame:
    """True relative change of volume, and change of fat fraction, of the section that both stacks show."""
    length = PARAMS.n_slices * PARAMS.slice_mm
    low, high = max(0.0, higher_mm), min(length, length + higher_mm)
    edges = PARAMS.slice_mm * np.arange(PARAMS.n_slices + 1, dtype=np.float64)
    then, now = (
        _section(scan, _shares(edges + lies, low, high)) for scan, lies in ((first, 0.0), (later, higher_mm))
    )
    return pd.DataFrame(
        {
            "volume_change": now["area"] / then["area"] - 1,
            "fat_fraction_change": now["fat"] / now["area"] - then["fat"] / then["area"],
        }
    )


def _shares(edges_mm: Floats, low: float, high: float) -> Floats:
    """Share of each slice that lies within the section."""
    within = np.minimum(edges_mm[1:], high) - np.maximum(edges_mm[:-1], low)
    return np.asarray(np.clip(within, 0, None) / PARAMS.slice_mm)


def _section(scan: Phantom, shares: Floats) -> pd.DataFrame:
    """Summed area, and area times fat fraction, by site and side."""
    rows = scan.truth[scan.truth["at"].str.startswith("slice:")]
    weight = shares[rows["at"].str.removeprefix("slice:").astype(int)]
    sums = (rows["value"] * weight).groupby([rows["site"], rows["side"], rows["measure"]]).sum().unstack()
    area = sums["cross_sectional_area"]
    return pd.DataFrame({"area": area, "fat": area - sums["functional_remaining_area"]})


def differences(seed: int) -> tuple[pd.DataFrame, float]:
    """Measured minus true change by muscle, whether intervals hold it, and the carried mask's Dice."""
    first, later, higher_mm = pair(seed)
    carried = propagate(first.acquisition, first.exact, later.acquisition)
    found = change(first.exact, carried).set_index(["site", "side"])
    true = true_change(first, later, higher_mm).reindex(found.index)
    out = pd.DataFrame({name: found[name] - true[name] for name in LIMITS})
    for name in LIMITS:
        out[f"{name}_held"] = (found[f"{name}_low"] <= true[name]) & (true[name] <= found[f"{name}_high"])
    overlap = np.mean(
        [dice(carried.segmentation.labels, later.exact.labels, label) for label in range(1, 12)]
    )
    return out.assign(pair=seed), float(overlap)


def evidence(both: pd.DataFrame, overlaps: Sequence[float]) -> pd.DataFrame:
    """Bias, limits of agreement and coverage as evidence rows."""
    pairs = both["pair"].to_numpy()
    base = {
        "about": f"propagate@{VERSION}",
        "kind": "agreement",
        "n": len(overlaps),
        "level": 0.95,
        "population": f"simulated pairs of visits, ALS and dystrophy, SNR 50; {len(both)} muscles",
        "reference": "true change of the section that both visits show",
    }
    rows: list[dict[str, object]] = []
    for measure, limit in LIMITS.items():
        error = both[measure].to_numpy()
        metrics: dict[str, Callable[[Floats], float]] = {
            f"bias of {measure}": _mean,
            f"limits of agreement of {measure}, half width": _half_width,
        }
        for metric, function in metrics.items():
            estimate = cluster_jackknife(partial(_of, function, error), pairs)
            row = base | {name: getattr(estimate, name) for name in ("value", "low", "high")}
            row["metric"] = metric
            if "limits" in metric:
                verdict = "pass" if estimate.value < limit else "fail"
                row |= {"criterion": f"below {limit:g}", "verdict": verdict}
            rows.append(row)
        held = clustered_share(both[f"{measure}_held"].to_numpy(), pairs)
        row = base | {name: getattr(held, name) for name in ("value", "low", "high")}
        row |= {"kind": "coverage", "metric": f"coverage of the 95 % interval of {measure}"}
        rows.append(
            row
            | {
                "criterion": str(COVERAGE),
                "verdict": judge(held.value, COVERAGE, low=held.low, high=held.high),
            }
        )
    rows.append(base | {"metric": "mean Dice of the carried mask", "value": float(np.mean(overlaps))})
    return evidence_frame(pd.DataFrame(rows))


def _mean(errors: Floats) -> float:
    return float(errors.mean())


def _half_width(errors: Floats) -> float:
    return 1.96 * float(errors.std(ddof=1))


def _of(function: Callable[[Floats], float], errors: Floats, rows: npt.NDArray[np.bool_]) -> float:
    return function(errors[rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Compute, and write the table that ships unless other seeds are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", type=int, nargs="+", metavar="SEED", help="these seeds, no table")
    chosen = parser.parse_args(arguments).development
    tables, overlaps = [], []
    for seed in chosen or SEEDS:
        table, overlap = differences(seed)
        tables.append(table)
        overlaps.append(overlap)
        print(seed, round(overlap, 3), table.drop(columns="pair").agg(["mean", "std"]).round(4), flush=True)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    table = evidence(pd.concat(tables), overlaps).assign(date=day, version=__version__)
    if not chosen:
        table.to_csv(OUT, index=False, lineterminator="\n")
    print(table[["metric", "value", "low", "high", "verdict"]].to_string())


if __name__ == "__main__":
    main()
