"""Evidence of muscle architecture on simulated pictures never used to set a constant."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.measures.architecture import METHOD, METHOD_VERSION, Params, measure
from myoproof.phantoms.bmode import Simulated, frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation import muscle_us, muscle_us_transverse

OUT = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "architecture.csv"
SEED, N_LONGITUDINAL, N_TRANSVERSE = 910_000, 96, 64
"""Fixed beforehand; constants were set on seeds 1000 to 1059, 30000 to 30209 and 61000 to 61079."""
LONGITUDINAL = ("vastus_lateralis", "medial_gastrocnemius", "lateral_gastrocnemius", "tibialis_anterior")
TRANSVERSE = ("biceps_brachii", "rectus_femoris", "forearm_flexors", "tibialis_anterior")
View = Literal["longitudinal", "transverse"]
KEY = ["site", "measure", "at"]
GROSS = 0.10


def simulated(number: int, view: View, sites: tuple[str, ...], devices: str) -> Simulated:
    """The picture of one number: muscles, devices and severities in turn."""
    rng = np.random.default_rng([SEED, len(sites[0]), number])
    device = f"device-{devices[(number // 4) % len(devices)]}"
    params = BmodeParams(
        view=view, site=sites[number % 4], device=device, severity=(0.0, 0.0, 0.4, 0.8)[(number // 16) % 4]
    )
    return frame(rng=rng, params=params)


def read_longitudinal() -> pd.DataFrame:
    """Rows of found and of true regions beside the truth."""
    parts = []
    for number in range(N_LONGITUDINAL):
        scan = simulated(number, "longitudinal", LONGITUDINAL, "acac")
        site = LONGITUDINAL[number % 4]
        for who, regions in (
            ("found", muscle_us.segment(scan.acquisition, site=site, side="right")),
            ("true", scan.segmentation),
        ):
            rows = measure(scan.acquisition, regions)
            both = rows.merge(scan.rows, on=KEY, suffixes=("", "_true"))
            parts.append(both.assign(who=who, number=number))
    return pd.concat(parts, ignore_index=True)


def read_transverse() -> pd.DataFrame:
    """The same for transverse views."""
    parts = []
    params = Params(view="transverse")
    for number in range(N_TRANSVERSE):
        scan = simulated(number, "transverse", TRANSVERSE, "abcd")
        site = TRANSVERSE[number % 4]
        regions = muscle_us_transverse.segment(scan.acquisition, site=site, side="right")
        rows = measure(scan.acquisition, regions, params=params)
        both = rows.merge(scan.rows, on=KEY, suffixes=("", "_true"))
        parts.append(both.assign(who="found", number=number))
    return pd.concat(parts, ignore_index=True)


def longitudinal_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Angle errors within true regions, coverage within found ones, refusals."""
    rows = []
    for who, region in (("true", "true regions"), ("found", "regions found by muscle_us")):
        here = table[(table["who"] == who)]
        population = (
            f"simulated longitudinal pictures, 4 muscles, 2 linear probes, healthy to severe; {region}"
        )
        angle = here[here["measure"] == "fascicle_angle"]
        told = angle[angle["value"].notna()]
        error = told["value"] - told["value_true"]
        rows += [
            one("fascicle_angle: share refused", 1 - len(told) / len(angle), len(angle), population, 0.10),
            one("fascicle_angle: mean error, deg", error.abs().mean(), len(told), population, 1.0),
            one("fascicle_angle: bias, deg", error.mean(), len(told), population, 0.5),
            one(
                "fascicle_angle: share of errors above 3 deg",
                (error.abs() > 3).mean(),
                len(told),
                population,
                0.05,
            ),
        ]
        for name in ("fascicle_angle", "thickness", "thickness_deep_end", "aponeurosis_angle"):
            seen = here[(here["measure"] == name) & here["low"].notna()]
            if len(seen):
                inside = (seen["low"] <= seen["value_true"]) & (seen["value_true"] <= seen["high"])
                rows.append(one(f"{name}: 95 % interval covers", inside.mean(), len(seen), population, -0.90))
    return rows


def transverse_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Refusals, gross errors and mean errors of thickness and area."""
    rows = []
    population = "simulated transverse pictures, 4 muscles, 4 probes, healthy to severe"
    table = table[table["site"] != "subcutaneous_fat"]
    own = table[(table["measure"] == "thickness") & table["site"].isin(TRANSVERSE)]
    told = own[own["value"].notna()]
    error = (told["value"] / told["value_true"] - 1).abs()
    rows.append(
        one("transverse thickness: share refused", 1 - len(told) / len(own), len(own), population, 0.20)
    )
    rows.append(one("transverse thickness: mean relative error", error.mean(), len(told), population, 0.05))
    rows.append(
        one(
            "transverse thickness: share of errors above 10 %",
            (error > GROSS).mean(),
            len(told),
            population,
            0.05,
        )
    )
    deeper = table[
        (table["measure"] == "thickness") & ~table["site"].isin(TRANSVERSE) & table["value"].notna()
    ]
    apart = (deeper["value"] / deeper["value_true"] - 1).abs()
    rows.append(
        one("thickness down to bone: mean relative error", apart.mean(), len(deeper), population, 0.05)
    )
    area = table[(table["measure"] == "cross_sectional_area") & table["value"].notna()]
    off = (area["value"] / area["value_true"] - 1).abs()
    rows.append(one("cross_sectional_area: mean relative error", off.mean(), len(area), population, 0.05))
    return rows


def one(metric: str, value: float, n: int, population: str, limit: float) -> dict[str, Any]:
    """An evidence row; a negative limit is a least value."""
    passed = value >= -limit if limit < 0 else abs(value) <= limit
    criterion = f"at least {-limit:g}" if limit < 0 else f"at most {limit:g}"
    kind = "coverage" if "covers" in metric else "accuracy"
    return {
        "kind": kind,
        "metric": metric,
        "value": round(float(value), 4),
        "n": n,
        "population": population,
        "reference": "simulated truth",
        "criterion": criterion,
        "verdict": "pass" if passed else "fail",
    }


def main() -> None:
    """Write the table that ships."""
    rows = [*longitudinal_rows(read_longitudinal()), *transverse_rows(read_transverse())]
    stamp = {
        "about": f"{METHOD}@{METHOD_VERSION}",
        "version": __version__,
        "date": str(np.datetime64("today")),
    }
    evidence = evidence_frame([stamp | row for row in rows])
    evidence.to_csv(OUT, index=False, lineterminator="\n")
    print(evidence[["population", "metric", "value", "n", "criterion", "verdict"]].to_string())


if __name__ == "__main__":
    main()
