"""Evidence of propagation: change of volume and fat fraction over simulated visits, against truth."""

import datetime
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.numerics.clustered import cluster_jackknife
from myoproof.phantoms.dixon import Phantom, ThighParams, bilateral
from myoproof.phantoms.dixon_visit import Visit
from myoproof.phantoms.rater import dice
from myoproof.segmentation.propagate import VERSION, change, propagate

OUT = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "followup.csv"
SEEDS = range(9000, 9008)
"""Fixed beforehand; the registration's constants were set on other seeds."""
PARAMS = ThighParams(
    voxel_mm=1.25, matrix=(172, 156), n_slices=16, slice_mm=6.0, gap_mm=0.0, water_snr=50.0, quantised=False
)
LIMITS = {"volume_change": 0.015, "fat_fraction_change": 0.003}


def pair(seed: int) -> tuple[Phantom, Phantom, Phantom]:
    """First visit; the later one as it lies; and the later one at the first one's place (for its truth)."""
    rng = np.random.default_rng(seed + 1)
    radius = tuple((1 - np.abs(rng.normal(0.01, 0.01, 11))).tolist())
    fat = tuple(rng.normal(0.12, 0.1, 11).tolist())
    lies = {
        "shift_mm": tuple(rng.normal(0, 4, 2).tolist()),
        "turn_rad": float(rng.normal(0, 0.04)),
        "stack_shift_mm": float(rng.normal(0, 4)),
    }
    params = replace(PARAMS, pattern="als" if seed % 2 else "dystrophy")
    visits = (Visit(), Visit(1, radius, fat, **lies), Visit(1, radius, fat))
    first, later, unmoved = (
        bilateral(rng=np.random.default_rng(seed), params=replace(params, visit=visit)) for visit in visits
    )
    return first, later, unmoved


def differences(seed: int) -> tuple[pd.DataFrame, float]:
    """Measured minus true change by muscle and side, and the Dice of the carried mask."""
    first, later, unmoved = pair(seed)
    carried = propagate(first.acquisition, first.exact, later.acquisition)
    found = change(first.acquisition, first.exact, later.acquisition, carried).set_index(["site", "side"])
    true = {}
    for measure in ("volume", "fat_fraction"):
        then, now = (
            scan.truth[(scan.truth["measure"] == measure) & (scan.truth["at"] == "")]
            .set_index(["site", "side"])["value"]
            .reindex(found.index)
            for scan in (first, unmoved)
        )
        true[measure] = now / then - 1 if measure == "volume" else now - then
    out = pd.DataFrame({f"{name}_change": found[f"{name}_change"] - true[name] for name in true})
    overlap = np.mean(
        [dice(carried.segmentation.labels, later.exact.labels, label) for label in range(1, 12)]
    )
    return out.assign(pair=seed), float(overlap)


def main() -> None:
    """Compute, write the table that ships."""
    tables, overlaps = [], []
    for seed in SEEDS:
        table, overlap = differences(seed)
        tables.append(table)
        overlaps.append(overlap)
        print(
            seed,
            round(overlap, 3),
            table.drop(columns="pair").agg(["mean", "std"]).round(4).to_dict(),
            flush=True,
        )
    both = pd.concat(tables)
    pairs = both["pair"].to_numpy()
    base = {
        "about": f"propagate@{VERSION}",
        "kind": "agreement",
        "n": len(SEEDS),
        "level": 0.95,
        "population": f"simulated pairs of visits, ALS and dystrophy, SNR 50; {len(both)} muscles",
        "reference": "true change of the section seen at the first visit",
    }
    rows: list[dict[str, object]] = []
    for measure, limit in LIMITS.items():
        error = both[measure].to_numpy()
        for metric, function in (
            (f"bias of {measure}", np.mean),
            (f"limits of agreement of {measure}, half width", lambda part: 1.96 * np.std(part, ddof=1)),
        ):
            estimate = cluster_jackknife(lambda mask, f=function, e=error: float(f(e[mask])), pairs)
            row = base | {
                "metric": metric,
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
            }
            if "limits" in metric:
                verdict = "pass" if estimate.value < limit else "fail"
                row |= {"criterion": f"below {limit:g}", "verdict": verdict}
            rows.append(row)
    rows.append(base | {"metric": "mean Dice of the carried mask", "value": float(np.mean(overlaps))})
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    table = evidence_frame(pd.DataFrame(rows)).assign(date=day, version=__version__)
    table.to_csv(OUT, index=False, lineterminator="\n")
    print(table[["metric", "value", "low", "high", "verdict"]])


if __name__ == "__main__":
    main()
