"""Hold Dixon rows against the truth of simulated thighs: bias and interval coverage, as evidence rows.

Run ``python -m benchmarks.calibrate_dixon``. Seeds of the validation were fixed before it was first run and
are never used for tuning: the numbers of ``measures/dixon_params.py`` were set on the seeds of
``--development``, which prints and writes nothing. Every thigh is scanned at both noise levels with one drawn
mask. Rows are kept in a folder as they come, so that a run that was stopped goes on where it was.
"""

import argparse
import datetime
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof import __version__
from myoproof.core.acquisition import Volume
from myoproof.core.evidence import evidence_frame
from myoproof.core.provenance import provenance_id
from myoproof.core.table import write_table
from myoproof.evidence.verdicts import Range, judge
from myoproof.measures.dixon import METHOD, METHOD_VERSION, Params, measure
from myoproof.numerics.clustered import clustered_share
from myoproof.phantoms.dixon import Phantom, ThighParams, demo_scans, rescans
from myoproof.phantoms.rater import dice

Row = dict[str, Any]
TABLE = (
    Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "dixon_intervals.csv"
)
VALIDATION_SEED, DEVELOPMENT_SEED = 91_000, 778
WATER_SNRS = (30.0, 60.0)
THIGHS = {"dystrophy": 220, "als": 80}
"""Validation thighs by pattern; fat fractions 2-80 %, and near normal."""
BILATERAL = 8
"""Scans of both thighs on the demo's coarser grid (1.5 mm), described and not judged."""
CORRECTED = f"{METHOD}:floor_corrected"
CONTIGUOUS = {"slice_mm": 6.0, "gap_mm": 0.0}
"""Every second pair of thighs is scanned without gaps, the others with the phantom's (5 mm every 16 mm)."""
MEASURES = (
    ("fat_fraction", ""),
    ("fat_fraction_signal", ""),
    ("volume", ""),
    ("functional_remaining_volume", ""),
    ("cross_sectional_area", "maximum"),
    ("functional_remaining_area", "maximum"),
)
FRACTIONS = ("fat_fraction", "fat_fraction_signal")
PATTERNS = {
    "dystrophy": "thighs, dystrophy, fat fractions 2-80 %",
    "als": "thighs, ALS, near normal fat fractions (2-12 %, much of it within the noise floor)",
    "both": "scans of both thighs, ALS and dystrophy, 1.5 mm",
}
COVERAGE = Range(0.93, 0.97)
FRACTION_BIAS = Range(-0.005, 0.005)
VOLUME_BIAS = Range(-0.03, 0.03)
NOISE_FLOOR_LIMIT = 0.05
"""Below this fat fraction the bias of ``fat_fraction`` is the noise floor's; it is stated, not judged."""
KEY = ["site", "side", "measure", "at"]


@dataclass(frozen=True, slots=True)
class Run:
    """Which thighs: the seed, how many of each pattern, and how many scans of both."""

    seed: int
    thighs: dict[str, int]
    bilateral: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, measure, judge; write the table unless the run is a development one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--development", type=int, metavar="N", help="N thighs of the development seed, no table"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "myoproof-calibrate-dixon"
    )
    options, _ = parser.parse_known_args(arguments)
    run = Run(VALIDATION_SEED, THIGHS, BILATERAL)
    if options.development:
        third = max(1, options.development // 4)
        run = Run(DEVELOPMENT_SEED, {"dystrophy": options.development - third, "als": third}, 2)
    params = Params()
    start = time.perf_counter()
    rows = compared(run, params, options.folder)
    print(f"{rows['thigh'].nunique()} thighs, {time.perf_counter() - start:.0f} s, {params}")
    evidence = evidence_frame(evidence_rows(rows))
    with pd.option_context("display.width", 200, "display.max_rows", 200, "display.max_colwidth", 70):
        print(evidence[["population", "metric", "value", "low", "high", "verdict"]].to_string(index=False))
        print(by_muscle(rows).to_string())
    if not options.development:
        write_table(evidence, TABLE)


def compared(run: Run, params: Params, folder: Path) -> pd.DataFrame:
    """Measured and true values of every muscle, thigh by thigh, kept as they come."""
    name = provenance_id(
        act=f"{METHOD}@{METHOD_VERSION}",
        parameters={**asdict(params), "phantom": asdict(ThighParams()), "version": __version__},
        inputs=[str(run.seed)],
    )
    kept = folder / name
    kept.mkdir(parents=True, exist_ok=True)
    parts = []
    for pattern, count in run.thighs.items():
        for i in range(count):
            path = kept / f"{pattern}-{i:04d}.csv"
            if not path.exists():
                one_thigh(run.seed, pattern, i, params).to_csv(path, index=False)
            parts.append(pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"at": str}))
    scans = demo_scans(rng=np.random.default_rng([run.seed, 1]), n=run.bilateral)
    snr = ThighParams().water_snr
    coarse = [one_scan(scan, snr, params).assign(pattern="both") for scan in scans]
    return pd.concat([*parts, *coarse], ignore_index=True).fillna({"at": ""})


def one_thigh(seed: int, pattern: str, i: int, params: Params) -> pd.DataFrame:
    """Measured and true values of one thigh at every noise level."""
    settings = ThighParams(pattern=pattern, side="left" if i % 2 else "right", subject=f"{pattern}-{i:04d}")
    settings = replace(settings, **(CONTIGUOUS if i // 2 % 2 else {}))
    rng = np.random.default_rng([seed, len(pattern), i])
    scans = rescans(rng=rng, params=settings, water_snrs=WATER_SNRS)
    return pd.concat([one_scan(scan, snr, params) for scan, snr in zip(scans, WATER_SNRS, strict=True)])


def one_scan(scan: Phantom, snr: float, params: Params) -> pd.DataFrame:
    """Measured rows beside true ones; ``exact`` is the fat fraction within the true mask."""
    rows = measure(scan.acquisition, scan.segmentation, params=params)
    rows = rows[rows["method"].isin([METHOD, CORRECTED])]
    wanted = pd.DataFrame(MEASURES, columns=["measure", "at"])
    truth = scan.truth[[*KEY, "value"]].merge(wanted, on=["measure", "at"])
    both = truth.merge(
        rows[[*KEY, "method", "value", "low", "high"]], on=KEY, suffixes=("_true", ""), how="left"
    )
    labels = {site: label for label, (site, _) in scan.exact.names.items()}
    overlap = {
        site: dice(scan.segmentation.labels, scan.exact.labels, label) for site, label in labels.items()
    }
    exact = exact_fractions(scan)
    names = list(zip(both["measure"], both["site"], strict=True))
    return both.assign(
        thigh=scan.acquisition.subject,
        pattern=scan.acquisition.subject.split("-")[0],
        snr=snr,
        dice=both["site"].map(overlap),
        exact=[exact.get(name, np.nan) for name in names],
    )


def exact_fractions(scan: Phantom) -> dict[tuple[str, str], float]:
    """The two fat fractions within the true mask: what partial volume and noise alone do to them."""
    volume = scan.acquisition.payload
    assert isinstance(volume, Volume)
    found = {}
    for label, (site, _) in scan.exact.names.items():
        inside = scan.exact.labels == label
        if inside.any():
            fat, water = (volume.channels[name][inside].astype(np.float64) for name in ("fat", "water"))
            found["fat_fraction", site] = float((fat / np.maximum(fat + water, 1e-9)).mean())
            found["fat_fraction_signal", site] = float(fat.sum() / (fat + water).sum())
    return found


def evidence_rows(rows: pd.DataFrame) -> Iterator[Row]:
    """Bias, its worst muscle, spread and coverage, by pattern and noise level."""
    date, about = datetime.datetime.now(datetime.UTC).date().isoformat(), f"{METHOD}@{METHOD_VERSION}"
    stamp = {"about": about, "reference": "phantom truth, noise-free fine grid", "date": date}
    stamp["version"] = __version__
    for (pattern, snr), group in rows.groupby(["pattern", "snr"], sort=False):
        population = f"simulated {PATTERNS[pattern]}, water SNR {snr:g}, drawn masks"
        common = {**stamp, "population": population, "n": group["thigh"].nunique()}
        plain, corrected = (group[group["method"] == method] for method in (METHOD, CORRECTED))
        found = [*bias_rows(plain), *coverage_rows(plain), *corrected_rows(corrected)]
        if snr == WATER_SNRS[0] or pattern == "both":
            found.append(
                {"kind": "agreement", "metric": "Dice of drawn and true masks", **mean_row(plain, "dice")}
            )
        left_out = {
            "dystrophy": (),
            "als": ("half-width",),
            "both": ("half-width", "worst", "farthest", "within"),
        }[pattern]
        for row in found:
            if any(word in row["metric"] for word in left_out):
                continue
            whole = {**common, "level": 0.95 if "low" in row else np.nan, **row}
            yield undecided(whole) if pattern == "both" else whole


def undecided(row: Row) -> Row:
    """A row that describes without judging."""
    return {**row, "criterion": "", "verdict": ""}


def corrected_rows(group: pd.DataFrame) -> Iterator[Row]:
    """Bias and coverage of the fat fractions from which the noise floor was taken off."""
    for name in FRACTIONS:
        part = group[group["measure"] == name]
        part = part.assign(error=part["value"] - part["value_true"])
        yield from judged_bias(f"bias of {name}, noise floor taken off", part, FRACTION_BIAS)
        yield coverage_row(f"95 % interval of {name}, noise floor taken off", part)


def bias_rows(group: pd.DataFrame) -> Iterator[Row]:
    """Mean error over muscles, counted by thigh; relative for sizes."""
    for name in FRACTIONS:
        part = group[group["measure"] == name]
        part = part.assign(error=part["value"] - part["value_true"], still=part["exact"] - part["value_true"])
        high = part["value_true"] >= NOISE_FLOOR_LIMIT
        if name == "fat_fraction":
            yield {"kind": "agreement", "metric": f"bias of {name}, all muscles", **mean_row(part, "error")}
            yield from judged_bias(f"bias of {name}, truth at least 5 %", part[high], FRACTION_BIAS)
            if (~high).any():
                metric = f"bias of {name}, truth below 5 % (noise floor)"
                yield {"kind": "agreement", "metric": metric, **mean_row(part[~high], "error")}
        else:
            yield from judged_bias(f"bias of {name}", part, FRACTION_BIAS)
        metric = f"bias of {name} within the true mask (noise, partial volume)"
        yield {"kind": "agreement", "metric": metric, **mean_row(part, "still")}
    part = group[group["measure"] == "volume"]
    part = part.assign(error=part["value"] / part["value_true"] - 1)
    yield from judged_bias("relative bias of volume", part, VOLUME_BIAS)


def judged_bias(metric: str, part: pd.DataFrame, allowed: Range) -> Iterator[Row]:
    """The bias against its range, then the worst muscle."""
    found = mean_row(part, "error")
    verdict = judge(found["value"], allowed, low=found["low"], high=found["high"])
    kind = {"kind": "agreement"}
    yield {**kind, "metric": metric, **found, "criterion": f"{allowed}", "verdict": verdict}
    site = part.groupby("site")["error"].mean().abs().idxmax()
    yield {
        **kind,
        "metric": f"{metric}, worst muscle: {site}",
        **mean_row(part[part["site"] == site], "error"),
    }


def mean_row(part: pd.DataFrame, column: str) -> Row:
    """A mean over muscles of each thigh, then over thighs, with its interval."""
    each = part.dropna(subset=[column]).groupby("thigh")[column].mean()
    half = 1.96 * float(each.std()) / np.sqrt(len(each)) if len(each) > 1 else np.nan
    return {"value": float(each.mean()), "low": float(each.mean()) - half, "high": float(each.mean()) + half}


def coverage_rows(group: pd.DataFrame) -> Iterator[Row]:
    """Share of muscles whose interval holds the truth, per measure, counted by thigh."""
    for name, _ in MEASURES:
        part = group[(group["measure"] == name) & group["value"].notna()]
        yield coverage_row(f"95 % interval of {name}", part)
        metric = {"kind": "coverage"}
        held = (part["low"] <= part["value_true"]) & (part["value_true"] <= part["high"])
        by_site = held.groupby(part["site"]).mean()
        site = (by_site - 0.95).abs().idxmax()
        yield {
            **metric,
            "metric": f"95 % interval of {name}, muscle farthest from 95 %: {site}",
            "value": float(by_site[site]),
        }
        width = (part["high"] - part["low"]) / 2 / (1.0 if name in FRACTIONS else part["value_true"])
        unit = "" if name in FRACTIONS else ", relative"
        yield {
            **metric,
            "metric": f"median half-width of the interval of {name}{unit}",
            "value": float(width.median()),
        }


def coverage_row(metric: str, part: pd.DataFrame) -> Row:
    """The share of intervals that hold the truth, judged with its own interval, which counts thighs."""
    held = (part["low"] <= part["value_true"]) & (part["value_true"] <= part["high"])
    share = clustered_share(held, part["thigh"])
    verdict = judge(share.value, COVERAGE, low=share.low, high=share.high)
    found = {"value": share.value, "low": share.low, "high": share.high}
    return {"kind": "coverage", "metric": metric, **found, "criterion": f"{COVERAGE}", "verdict": verdict}


def by_muscle(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage by muscle and measure, both noise levels together."""
    held = (rows["low"] <= rows["value_true"]) & (rows["value_true"] <= rows["high"])
    table = rows.assign(held=held)[rows["method"] == METHOD].pivot_table(
        index="site", columns="measure", values="held"
    )
    return table.round(3)


if __name__ == "__main__":
    main()
