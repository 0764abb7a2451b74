"""Hold water T2 against simulated truth: voxels against their bound, muscles against their intervals.

Run ``python -m benchmarks.calibrate_relaxation``. Seeds, grid and numbers of thighs of the validation were
fixed before it was first run; constants were set on the seeds of ``--development N``, which writes nothing.
Echoes come from the phantom's own isochromats. Rows are kept in a folder as they come, so that a run that was
stopped goes on where it was.
"""

import argparse
import datetime
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.provenance import provenance_id
from myoproof.core.table import write_table
from myoproof.evidence.verdicts import Range, judge
from myoproof.measures.relaxation import METHOD, METHOD_VERSION, Context, Params, measure
from myoproof.numerics.clustered import clustered_share
from myoproof.numerics.water_t2 import Known, cramer_rao, fit
from myoproof.numerics.water_t2_b1 import local_field
from myoproof.numerics.water_t2_dictionary import Train, build
from myoproof.phantoms.relaxation import RelaxationParams, thigh
from myoproof.phantoms.relaxation_bloch import Sequence as Echoes
from myoproof.phantoms.relaxation_bloch import echoes

Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "relaxation.csv"
VALIDATION_SEED, DEVELOPMENT_SEED = 93_000, 779
THIGHS = {"dystrophy": 16, "als": 8}
COARSE: dict[str, Any] = {"voxel_mm": 2.0, "matrix": (108, 98), "n_slices": 3}
SNR = 50.0
T2_MS, FIELDS, SHARES = (25.0, 38.0, 60.0, 80.0), (0.6, 0.85, 1.0, 1.2), (0.0, 0.1, 0.3, 0.5)
BLOCK = (120, 120)
"""Voxels of one truth in plane, 2 mm; each cell of the grid has one such block."""
PATTERNS = {
    "dystrophy": "simulated thighs, dystrophy, fat fractions 2-80 %, oedema",
    "als": "simulated thighs, ALS, near normal fat, mild oedema",
}
COMPANIONS = {
    "fat": "Dixon fat fraction given, field fitted",
    "fat and field": "Dixon fat fraction and field map given",
    "alone": "echoes alone",
}
COVERAGE, BIAS_MS, RATIO = Range(0.93, 0.97), Range(-0.5, 0.5), Range(at_most=1.15)


@dataclass(frozen=True, slots=True)
class Run:
    """Which seeds and how many thighs of each pattern."""

    seed: int
    thighs: dict[str, int]


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, measure, judge; write the table unless the run is a development one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", type=int, metavar="N", help="N thighs of the development seed")
    place = Path(tempfile.gettempdir()) / "myoproof-calibrate-relaxation"
    parser.add_argument("--folder", type=Path, default=place)
    options, _ = parser.parse_known_args(arguments)
    run = Run(VALIDATION_SEED, THIGHS)
    if options.development:
        third = max(1, options.development // 3)
        run = Run(DEVELOPMENT_SEED, {"dystrophy": options.development - third, "als": third})
    start = time.perf_counter()
    voxels = kept_grid(run.seed, options.folder)
    print(voxels.round(3).to_string(), f"\n{time.perf_counter() - start:.0f} s", flush=True)
    rows = compared(run, options.folder)
    print(f"{len(rows)} rows, {time.perf_counter() - start:.0f} s")
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    stamp = {"about": f"{METHOD}@{METHOD_VERSION}", "date": date, "version": __version__}
    evidence = evidence_frame([{**stamp, **row} for row in [*voxel_rows(voxels), *muscle_rows(rows)]])
    with pd.option_context("display.width", 220, "display.max_rows", 200, "display.max_colwidth", 80):
        print(evidence[["population", "metric", "value", "low", "high", "verdict"]].to_string(index=False))
    if not options.development:
        write_table(evidence, TABLE)


def kept_grid(seed: int, folder: Path) -> pd.DataFrame:
    """The grid of voxels, kept once it is computed."""
    path = folder / f"voxels-{METHOD_VERSION}-{seed}.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        voxel_grid(seed).to_csv(path, index=False)
    return pd.read_csv(path)


def voxel_grid(seed: int) -> pd.DataFrame:
    """Bias, SD and bound in every cell of the grid: fat share known, field given or fitted in the block."""
    train = Train(echo_spacing_s=0.010, n_echo=17)
    dictionary = build(train)
    fields = np.array(FIELDS)
    water = echoes(np.array(T2_MS) / 1e3, train.t1_water_s, fields, Echoes())
    fat = echoes(np.array([train.t2_fat_s]), train.t1_fat_s, fields, Echoes())[:, 0]
    found = []
    for i, (t, b, share) in enumerate(itertools.product(range(len(T2_MS)), range(len(FIELDS)), SHARES)):
        rng = np.random.default_rng([seed, 7, i])
        clean = SNR * ((1.0 - share) * water[b, t] + share * fat[b])
        noise = rng.standard_normal((2, *BLOCK, 1, clean.size))
        values = np.hypot(clean + noise[0], noise[1]).astype(np.float32)
        known = Known(fat_share=share, fat_share_sd=0.0, b1=FIELDS[b], b1_sd=0.0)
        bound = cramer_rao(train, t2_s=T2_MS[t] / 1e3, b1=FIELDS[b], fat_share=share, snr=SNR, known=known)
        everywhere = np.ones((*BLOCK, 1), dtype=bool)
        pooled = local_field(
            values, everywhere, dictionary, spacing_mm=(2.0, 2.0, 8.0), noise_sd=1.0, known=known
        )
        for name, field in (("given", FIELDS[b]), ("fitted", pooled.b1.ravel())):
            told = Known(fat_share=share, fat_share_sd=0.0, b1=field, b1_sd=0.0)
            error = 1e3 * fit(values.reshape(-1, clean.size), dictionary, noise_sd=1.0, known=told).t2_s
            error = error - T2_MS[t]
            found.append(
                {
                    "field": name, "t2_ms": T2_MS[t], "b1": FIELDS[b], "share": share, "n": error.size,
                    "bias": float(error.mean()), "sd": float(error.std(ddof=1)), "bound": 1e3 * bound["t2_s"],
                }
            )  # fmt: skip
    frame = pd.DataFrame(found)
    return frame.assign(ratio=frame["sd"] / frame["bound"])


def voxel_rows(voxels: pd.DataFrame) -> Iterator[Row]:
    """The worst cell of the grid for bias and for the ratio to the bound, by fat and certainty."""
    base = {"kind": "precision", "reference": "isochromat simulation; Rician Cramer-Rao bound", "level": 0.95}
    for field, group in voxels.groupby("field", sort=False):
        for name, part in (
            ("fat share at most 30 %", group[group["share"] <= 0.3]),
            ("all of the grid", group),
            ("bound below 6 ms", group[group["bound"] < 6.0]),
        ):
            population = (
                f"simulated voxels, SNR {SNR:g}, 17 echoes, T2 25-80 ms, B1 0.6-1.2, fat 0-50 % known, "
                f"field {field}: {name}"
            )
            common = {**base, "population": population, "n": int(part["n"].iloc[0])}
            worst = part.loc[part["bias"].abs().idxmax()]
            half = 1.96 * worst["sd"] / np.sqrt(worst["n"])
            yield {
                **common, "metric": f"largest bias of voxel T2, ms ({cell(worst)})",
                **judged(worst["bias"], half, BIAS_MS),
            }  # fmt: skip
            worst = part.loc[part["ratio"].idxmax()]
            half = 1.96 * worst["ratio"] / np.sqrt(2 * worst["n"])
            yield {
                **common, "metric": f"largest SD of voxel T2 over its bound ({cell(worst)})",
                **judged(worst["ratio"], half, RATIO),
            }  # fmt: skip
            yield {
                **common,
                "metric": "median SD of voxel T2 over its bound",
                "value": part["ratio"].median(),
            }


def cell(row: pd.Series) -> str:
    """Where in the grid."""
    return f"T2 {row['t2_ms']:g} ms, B1 {row['b1']:g}, fat {row['share']:g}"


def judged(value: float, half: float, allowed: Range) -> Row:
    """A value with its interval and verdict."""
    low, high = value - half, value + half
    verdict = judge(value, allowed, low=low, high=high)
    return {"value": value, "low": low, "high": high, "criterion": f"{allowed}", "verdict": verdict}


def compared(run: Run, folder: Path) -> pd.DataFrame:
    """Measured and true water T2 of every muscle, thigh by thigh, kept as they come."""
    parameters = {
        "params": repr(Params()),
        "phantom": repr(RelaxationParams(**COARSE)),
        "version": __version__,
    }
    name = provenance_id(act=f"{METHOD}@{METHOD_VERSION}", parameters=parameters, inputs=[str(run.seed)])
    kept = folder / name
    kept.mkdir(parents=True, exist_ok=True)
    parts = []
    for pattern, count in run.thighs.items():
        for i in range(count):
            path = kept / f"{pattern}-{i:04d}.csv"
            if not path.exists():
                one_thigh(run.seed, pattern, i).to_csv(path, index=False)
            parts.append(pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"absent": str}))
    return pd.concat(parts, ignore_index=True).fillna({"absent": "", "flags": ""})


def one_thigh(seed: int, pattern: str, i: int) -> pd.DataFrame:
    """One thigh measured with every set of companions."""
    side = "left" if i % 2 else "right"
    params = RelaxationParams(pattern=pattern, side=side, subject=f"{pattern}-{i:04d}", snr=SNR, **COARSE)
    scan = thigh(rng=np.random.default_rng([seed, len(pattern), i]), params=params)
    given = {
        "fat": Context(scan.dixon),
        "fat and field": Context(scan.dixon, scan.field),
        "alone": Context(),
    }
    truth = scan.truth[(scan.truth["at"] == "") & (scan.truth["measure"] == "water_t2")]
    parts = []
    for name, context in given.items():
        rows = measure(scan.acquisition, scan.segmentation, context=context)
        rows = rows[(rows["method"] == METHOD) & (rows["measure"] == "water_t2") & (rows["at"] == "")]
        both = truth[["site", "value"]].merge(
            rows[["site", "value", "low", "high", "absent", "flags"]], on="site", suffixes=("_true", "")
        )
        parts.append(both.assign(companions=name))
    return pd.concat(parts).assign(thigh=params.subject, pattern=pattern)


def muscle_rows(rows: pd.DataFrame) -> Iterator[Row]:
    """Bias, spread, coverage and half-width by pattern and companions; absences are counted."""
    for (pattern, companions), every in rows.groupby(["pattern", "companions"], sort=False):
        population = f"{PATTERNS[pattern]}, SNR {SNR:g}, drawn masks; {COMPANIONS[companions]}"
        common = {"population": population, "reference": "phantom truth", "n": every["thigh"].nunique()}
        group = every[every["value"].notna()].assign(error=lambda part: part["value"] - part["value_true"])
        each = group.groupby("thigh")["error"].mean()
        half = 1.96 * float(each.std()) / np.sqrt(len(each)) if len(each) > 1 else np.nan
        agreement = {**common, "kind": "agreement", "level": 0.95}
        told = companions != "alone"
        found = judged(float(each.mean()), half, BIAS_MS) if told else {"value": float(each.mean())}
        yield {**agreement, "metric": "bias of water_t2, ms", **found}
        spread = float(np.sqrt((group["error"] ** 2).mean()))
        yield {
            **common,
            "kind": "agreement",
            "metric": "root mean square error of water_t2, ms",
            "value": spread,
        }
        held = (group["low"] <= group["value_true"]) & (group["value_true"] <= group["high"])
        share = clustered_share(held, group["thigh"])
        verdict = judge(share.value, COVERAGE, low=share.low, high=share.high)
        cover = {"value": share.value, "low": share.low, "high": share.high, "level": 0.95}
        if told:
            cover |= {"criterion": f"{COVERAGE}", "verdict": verdict}
        yield {**common, "kind": "coverage", "metric": "95 % interval of water_t2", **cover}
        width = float(((group["high"] - group["low"]) / 2).median())
        yield {
            **common,
            "kind": "coverage",
            "metric": "median half-width of the interval, ms",
            "value": width,
        }
        lost = float((every["absent"] != "").mean())
        yield {**common, "kind": "absence", "metric": "muscles without a water T2", "value": lost}


if __name__ == "__main__":
    main()
