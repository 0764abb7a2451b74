"""Hold fasciculation counting against simulated cines with every disturbance at once; failures are told.

Run ``python -m benchmarks.calibrate_fasciculation``. Seeds, sites, devices and the number of cines were fixed
before it was first run; constants were set on the ten cines of ``--development``, which writes nothing. An
event counts as found if a detected peak lies between its beginning and its end, one to one, nearest in time.
"""

import argparse
import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from myoproof import __version__
from myoproof.core.acquisition import Picture
from myoproof.core.evidence import evidence_frame
from myoproof.core.table import write_table
from myoproof.evidence.verdicts import Range, judge
from myoproof.measures.fasciculation import METHOD, METHOD_VERSION, measure
from myoproof.phantoms.bmode_cine import CineParams, SimulatedCine, cine
from myoproof.phantoms.bmode_scene import BmodeParams

TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "fasciculation.csv"
SITES = ("vastus_lateralis", "medial_gastrocnemius", "tibialis_anterior", "biceps_brachii")
DEVICES = ("device-a", "device-b", "device-c", "device-d")
VALIDATION, QUIET = tuple(range(71_000, 71_060, 5)), tuple(range(72_000, 72_015, 5))
DEVELOPMENT = (100, 101, 102, 103, 104, 105, 106, 107, 108, 110)
RATE_HZ, DRAWS = 30.0, 2000
WITH = (
    "simulated cines of 10 s, 240 x 320, 4 muscles, 4 devices; pulse, breathing, pseudotremor, slip and a "
    "voluntary contraction in each; twitches of 0.35-1.5 mm and 200-700 ms at any time; true muscle outline"
)
WITHOUT = WITH.replace("twitches of 0.35-1.5 mm and 200-700 ms at any time", "no twitch")


@dataclass(frozen=True, slots=True)
class Score:
    """One cine: true events, detected, pairs, pairs with peaks within one frame, seconds, frames."""

    true: int
    detected: int
    pairs: int
    near: int
    seconds: float
    frames: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, count, judge; write the table unless the run is a development one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", action="store_true")
    options, _ = parser.parse_known_args(arguments)
    seeds = DEVELOPMENT if options.development else VALIDATION
    scores = [scored(seed, None) for seed in seeds]
    quiet = [] if options.development else [scored(seed, 0) for seed in QUIET]
    frame = pd.DataFrame([vars_of(one) for one in [*scores, *quiet]], index=[*seeds, *QUIET[: len(quiet)]])
    print(frame.to_string())
    rows = evidence(scores, quiet)
    print(rows[["metric", "value", "low", "high", "n", "criterion", "verdict"]].to_string())
    if not options.development:
        write_table(rows, TABLE)


def vars_of(score: Score) -> dict[str, float]:
    """A score as a row."""
    return {name: getattr(score, name) for name in Score.__slots__}


def scored(seed: int, twitches: int | None) -> Score:
    """One cine simulated and counted."""
    view = BmodeParams(shape=(240, 320), depth_mm=40.0, site=SITES[seed % 4], device=DEVICES[seed // 4 % 4])
    made = cine(rng=np.random.default_rng(seed), params=CineParams(view=view, n_fasciculations=twitches))
    start = time.process_time()
    rows = measure(made.acquisition, made.segmentation)
    seconds = time.process_time() - start
    rows = rows[rows["site"] == view.site]
    peaks = rows.loc[rows["measure"] == "fasciculation_peak_frame", "value"].to_numpy()
    pairs = paired(made, peaks)
    near = sum(abs(difference) <= 1 for difference in pairs)
    assert isinstance(made.acquisition.payload, Picture)
    true = sum(event.kind == "fasciculation" for event in made.events)
    score = Score(true, peaks.size, len(pairs), near, seconds, made.acquisition.payload.pixels.shape[0])
    print(seed, view.site, view.device, score, flush=True)
    return score


def paired(made: SimulatedCine, peaks: np.ndarray) -> list[float]:
    """Differences of the peaks' frames over pairs of true and detected events."""
    events = [event for event in made.events if event.kind == "fasciculation"]
    if not events or not peaks.size:
        return []
    cost = np.full((len(events), peaks.size), 1e6)
    for i, event in enumerate(events):
        within = (peaks >= event.start_s * RATE_HZ - 0.5) & (peaks <= event.end_s * RATE_HZ + 0.5)
        cost[i, within] = np.abs(peaks[within] - round(event.peak_s * RATE_HZ))
    chosen = zip(*linear_sum_assignment(cost), strict=True)
    return [float(cost[i, j]) for i, j in chosen if cost[i, j] < 1e6]


def evidence(scores: list[Score], quiet: list[Score]) -> pd.DataFrame:
    """Rows: F1, precision, recall, peaks, speed, and false events where nothing twitches."""
    true, detected, pairs, near = (
        np.array([getattr(one, name) for one in scores], dtype=float)
        for name in ("true", "detected", "pairs", "near")
    )
    draws = np.random.default_rng(1).integers(0, len(scores), (DRAWS, len(scores)))
    shares: list[tuple[str, Any, Any, Range | None]] = [
        ("event F1", 2 * pairs, true + detected, Range(at_least=0.90)),
        ("event precision", pairs, detected, None),
        ("event recall", pairs, true, None),
        ("share of found events with the peak within one frame", near, pairs, Range(at_least=0.80)),
    ]
    rows = [row(name, above, below, draws, wanted, WITH, true.sum()) for name, above, below, wanted in shares]
    frames, seconds = (
        np.array([getattr(one, name) for one in scores], float) for name in ("frames", "seconds")
    )
    rows.append(
        row("frames per second of one core", frames, seconds, draws, Range(at_least=25.0), WITH, len(scores))
    )
    if quiet:
        false = np.array([one.detected for one in quiet], dtype=float)
        minutes = np.array([one.frames / RATE_HZ / 60.0 for one in quiet])
        some = np.random.default_rng(2).integers(0, len(quiet), (DRAWS, len(quiet)))
        rows.append(row("false events per minute", false, minutes, some, None, WITHOUT, len(quiet)))
    return evidence_frame(rows)


def row(
    metric: str, above: Any, below: Any, draws: Any, wanted: Range | None, population: str, n: float
) -> dict[str, Any]:
    """One ratio of sums over cines with its bootstrap interval (cines redrawn)."""
    value = float(above.sum() / below.sum())
    again = above[draws].sum(axis=1) / np.maximum(below[draws].sum(axis=1), 1e-9)
    low, high = (float(q) for q in np.percentile(again, [2.5, 97.5]))
    told = {
        "about": f"{METHOD}@{METHOD_VERSION}",
        "kind": "detection",
        "metric": metric,
        "value": value,
        "low": low,
        "high": high,
        "level": 0.95,
        "n": float(n),
        "population": population,
        "reference": "simulated truth",
        "date": datetime.date.today().isoformat(),
        "version": __version__,
    }
    if wanted is not None:
        told |= {"criterion": str(wanted), "verdict": judge(value, wanted, low=low, high=high)}
    return told


if __name__ == "__main__":
    main()
