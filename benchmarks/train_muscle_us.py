"""Weights of the muscle finder: S1-S5 of the public set 1 in disguises, phantoms, images without muscle."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from benchmarks.us_observers import ROOT, TUNING, observers
from myoproof.core.acquisition import Picture
from myoproof.numerics.aponeuroses import HELD, Chooser, chooser_from
from myoproof.numerics.aponeuroses_edges import Edges, Work, edges, prepare
from myoproof.numerics.aponeuroses_pairs import NAMES, Pairs, pairs
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation.muscle_us import Params

OUT = Path(__file__).resolve().parents[1] / "src/myoproof/segmentation/weights/muscle_us.json"
Image = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float64]
BATCHES = ((7, 4), (11, 5))
"""Seed and number of disguises of each image; with each batch one image without a muscle is made of each."""
PHANTOMS = (*range(60), *range(200, 290))
TOLERANCE = (0.02, 0.025)
"""SD of an acceptable error of the upper and lower edge, as a share of the thickness."""
UNITS, MEMBERS, ITERATIONS = 16, 3, 130
LINE_PENALTY, LAYER_PENALTY = 8.0, 3.5
INSIDE = 0.75
"""Working rows from the steepest change of the upper edge to the readers' mark, median of S1-S5."""


@dataclass(frozen=True, slots=True)
class Example:
    """An image with the rows of both edges at its deep end (NaN: no muscle), of a phantom in each column."""

    image: Image
    top: float
    bottom: float
    left: bool
    group: str
    tissue: npt.NDArray[np.bool_] | None = None
    upper: Numbers | None = None
    lower: Numbers | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What the fit sees of an example: features of its pairs, and how well each pair hits."""

    features: Numbers
    hits: Numbers
    error: Numbers
    thickness: Numbers
    group: str
    negative: bool


def tuning_images() -> list[Example]:
    sheet = observers(ROOT)
    sheet = sheet[(sheet["dataset"] == 1) & sheet["subject"].isin(TUNING)]
    medians = sheet.groupby("image")[["top", "bottom"]].median()
    return [
        Example(cv2.imread(str(path), 0), float(row["top"]), float(row["bottom"]), True, path.parent.name)
        for path, row in medians.iterrows()
    ]


def phantom(index: int) -> Example:
    """A simulated image with its true edges; devices and severities take turns."""
    rng = np.random.default_rng((20261121, index))
    params = BmodeParams(device=f"device-{'abcd'[index % 4]}", severity=float(rng.uniform(0, 0.7)))
    simulated = frame(rng=rng, params=params)
    picture = simulated.acquisition.payload
    assert isinstance(picture, Picture)
    muscle = simulated.segmentation.labels[0] == 2
    tissue = picture.tissue if picture.tissue is not None else np.ones(muscle.shape, bool)
    rows = np.arange(muscle.shape[0])[:, None]
    upper = np.where(muscle, rows, np.inf).min(axis=0) - 0.5
    lower = np.where(muscle, rows, -np.inf).max(axis=0) + 0.5
    held = muscle.any(axis=0)
    cols = np.arange(muscle.shape[1])
    for edge, step in ((upper, -3), (lower, 3)):
        row = np.clip(np.where(held, edge, 0).astype(int) + step, 0, muscle.shape[0] - 1)
        held &= tissue[row, cols]
    upper, lower = np.where(held, upper, np.nan), np.where(held, lower, np.nan)
    middle = float(np.nanmedian(upper)), float(np.nanmedian(lower))
    return Example(picture.pixels[0, :, :, 0], *middle, True, "phantom", tissue, upper, lower)


def disguised(example: Example, rng: np.random.Generator) -> Example:
    """Another probe, depth, gain and hand: stretched, cut, deepened, tilted, blurred, brighter, mirrored."""
    image, top, bottom = example.image.astype(np.float32), example.top, example.bottom
    stretch = float(rng.uniform(0.8, 1.9))
    image = cv2.resize(image, None, fx=stretch, fy=1.0, interpolation=cv2.INTER_LINEAR)
    image = image[:, : int(image.shape[1] * rng.uniform(0.6, 1.0))]
    tilt = np.array([[1, 0, 0], [float(np.tan(np.radians(rng.uniform(-4, 4)))), 1, 0]], np.float32)
    image = cv2.warpAffine(image, tilt, image.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    if rng.random() < 0.5:
        cut = int(rng.uniform(0, max(top - 20, 1)))
        image, top, bottom = image[cut:], top - cut, bottom - cut
    else:
        more = int(rng.uniform(0, 0.3) * image.shape[0])
        fat = image[10 : max(int(top) - 12, 24)]
        reps = np.vstack([fat, fat[::-1]] * (more // (2 * len(fat)) + 1))[:more]
        image, top, bottom = np.vstack([reps, image]), top + more, bottom + more
    if rng.random() < 0.4:
        image = image[: int(bottom + rng.uniform(15, max(image.shape[0] - bottom, 16)))]
    else:
        deep = image[::-1][: int(rng.uniform(0, 0.9) * image.shape[0])]
        fade = np.linspace(rng.uniform(0.5, 1), rng.uniform(0.1, 0.7), max(len(deep), 1))[: len(deep), None]
        image = np.vstack([image, cv2.GaussianBlur(deep, (0, 0), 1.5) * fade]) if len(deep) else image
    image = np.maximum(image, 0)
    image = 255 * (image / 255) ** rng.uniform(0.6, 1.6) * rng.uniform(0.7, 1.3)
    blur = float(rng.uniform(0.1, 1.8))
    image = cv2.GaussianBlur(image, (0, 0), sigmaX=blur * rng.uniform(1, 2), sigmaY=blur)
    speckle = cv2.GaussianBlur(rng.normal(size=image.shape).astype(np.float32), (0, 0), sigmaX=2, sigmaY=0.8)
    image = image * (1 + rng.uniform(0, 0.5) * speckle)
    left = example.left
    if rng.random() < 0.5:
        image, left = image[:, ::-1], not left
    return Example(
        np.ascontiguousarray(np.clip(image, 0, 255).astype(np.uint8)), top, bottom, left, example.group
    )


def without_muscle(example: Example, rng: np.random.Generator) -> Example:
    """No whole muscle: cut above the deep edge, only what lies below it, turned, or speckle alone."""
    image = example.image
    kind = int(rng.integers(4))
    if kind == 0:
        image = image[: int(example.top + rng.uniform(0.5, 0.85) * (example.bottom - example.top))]
    elif kind == 1:
        image = image[int(example.bottom) + 12 :]
    elif kind == 2:
        image = np.rot90(image)
    else:
        rough = rng.normal(size=(*image.shape, 2)).astype(np.float32)
        smooth = cv2.GaussianBlur(rough, (0, 0), sigmaX=rng.uniform(1, 4), sigmaY=rng.uniform(0.6, 2))
        envelope = np.sqrt((smooth**2).sum(axis=2))
        image = np.clip(90 + 40 * np.log10(envelope / envelope.mean() + 0.01) * 2, 0, 255).astype(np.uint8)
    return Example(np.ascontiguousarray(image), np.nan, np.nan, True, example.group)


def seen(example: Example) -> Case:
    """Features of every pair of an image and how well its edges at the deep end fit the marks."""
    return case_of(example, *searched(example))


def searched(example: Example) -> tuple[Work, Edges, Edges]:
    """Working image and candidate edges."""
    work = prepare(example.image, example.tissue)
    return work, *edges(work)


def case_of(example: Example, work: Work, above: Edges, below: Edges) -> Case:
    """Features and hits of an example whose edges are known."""
    found = pairs(work, above, below)
    upper, lower = _ends(found) if example.upper is None else (found.upper, found.lower)
    upper, lower = (upper + 0.5) / work.scale - 0.5, (lower + 0.5) / work.scale - 0.5
    none = not np.isfinite(example.top)
    if none:
        nothing = np.zeros(len(upper))
        return Case(found.features, nothing, nothing * np.nan, (lower - upper)[:, 0], example.group, True)
    thick = example.bottom - example.top
    true_upper, true_lower = _truth(example, upper.shape[1])
    a = np.nanmean(np.abs(upper - true_upper), axis=1) / thick / TOLERANCE[0]
    b = np.nanmean(np.abs(lower - true_lower), axis=1) / thick / TOLERANCE[1]
    hits = np.exp(-(a**2 + b**2) / 2) * (a < 2.5) * (b < 2.5)
    if example.upper is None:
        hits = hits * ((found.rises > 0) == example.left)
    found_thick = np.nanmean(lower - upper + 0 * true_upper, axis=1)
    error = found_thick / float(np.nanmean(true_lower - true_upper)) - 1
    return Case(found.features, hits, error, found_thick, example.group, False)


def _ends(found: Pairs) -> tuple[Numbers, Numbers]:
    """Rows at the end where the streaks of each pair reach the lower edge."""
    right = found.rises < 0
    ends = []
    for rows in (found.upper, found.lower):
        turned = np.where(right[:, None], rows[:, ::-1], rows)
        ends.append(turned[:, :3].mean(axis=1, keepdims=True))
    return ends[0], ends[1]


def _truth(example: Example, nodes: int) -> tuple[Numbers, Numbers]:
    if example.upper is None or example.lower is None:
        return np.array([example.top]), np.array([example.bottom])
    at = (np.arange(nodes) + 0.5) / nodes * example.upper.size - 0.5
    cols = np.clip(np.round(at).astype(int), 0, example.upper.size - 1)
    return example.upper[cols], example.lower[cols]


@dataclass(frozen=True, slots=True)
class Pack:
    """Cases side by side: pairs in rows, the first row and the number of each case."""

    standard: npt.NDArray[np.float32]
    hits: Numbers
    start: npt.NDArray[np.int64]
    case: npt.NDArray[np.int64]
    negative: npt.NDArray[np.bool_]


def packed(cases: list[Case], mean: Numbers, sd: Numbers) -> Pack:
    """Cases that have pairs, and a right one among them or none at all."""
    kept = [c for c in cases if len(c.features) and (c.negative or c.hits.sum() > 0.05)]
    sizes = np.array([len(c.features) for c in kept])
    features = np.vstack([c.features for c in kept])
    return Pack(
        np.clip((features - mean) / sd, -HELD, HELD).astype(np.float32),
        np.concatenate([c.hits for c in kept]),
        np.r_[0, np.cumsum(sizes)[:-1]],
        np.repeat(np.arange(len(kept)), sizes),
        np.array([c.negative for c in kept]),
    )


def parts(w: Numbers) -> tuple[float, Numbers, Numbers, Numbers, Numbers]:
    """Intercept, line, hidden weights, hidden biases and output weights of one member."""
    n = len(NAMES)
    line, hidden = w[1 : 1 + n], w[1 + n : 1 + n + n * UNITS].reshape(n, UNITS)
    rest = w[1 + n + n * UNITS :]
    return float(w[0]), line, hidden, rest[:UNITS], rest[UNITS:]


def loss(w: Numbers, pack: Pack) -> tuple[float, Numbers]:
    """Minus log likelihood of the right pairs, or of none, with a penalty; and its slope."""
    intercept, *arrays = parts(w)
    line, hidden, bias, out = (a.astype(np.float32) for a in arrays)
    bent = np.tanh(pack.standard @ hidden + bias)
    score = (intercept + pack.standard @ line + bent @ out).astype(np.float64)
    top = np.maximum(np.maximum.reduceat(score, pack.start), 0)
    up, none = np.exp(score - top[pack.case]), np.exp(-top)
    total = np.add.reduceat(up, pack.start) + none
    right = np.add.reduceat(up * pack.hits, pack.start)
    value = -np.log(np.where(pack.negative, none, right) / total + 1e-9).sum()
    wanted = up * pack.hits / (right + 1e-9 * total)[pack.case]
    rest = (up / total[pack.case] - np.where(pack.negative[pack.case], 0, wanted)).astype(np.float32)
    through = (1 - bent**2) * out * rest[:, None]
    slope = [
        [rest.sum()],
        pack.standard.T @ rest + LINE_PENALTY * line,
        (pack.standard.T @ through + LAYER_PENALTY * hidden).ravel(),
        through.sum(axis=0),
        bent.T @ rest + LAYER_PENALTY * out,
    ]
    value += LINE_PENALTY / 2 * (line**2).sum() + LAYER_PENALTY / 2 * ((hidden**2).sum() + (out**2).sum())
    return float(value), np.concatenate(slope).astype(np.float64)


def member(pack: Pack, seed: int) -> Numbers:
    """One scorer from one random start."""
    rng = np.random.default_rng(seed)
    n = len(NAMES)
    start = [np.zeros(n + 1), rng.normal(0, 0.15, n * UNITS), np.zeros(UNITS), rng.normal(0, 0.1, UNITS)]
    options = {"maxiter": ITERATIONS}
    return np.asarray(
        minimize(loss, np.concatenate(start), args=(pack,), jac=True, method="L-BFGS-B", options=options).x
    )


def numbers(members: list[Numbers], mean: Numbers, sd: Numbers) -> dict[str, object]:
    """Weights as they are stored."""
    stored = []
    for each in members:
        intercept, *arrays = parts(each)
        named = zip(("weights", "hidden", "bias", "out"), arrays, strict=True)
        stored.append({"intercept": round(intercept, 4)} | {k: np.round(a, 4).tolist() for k, a in named})
    scale = {"mean": np.round(mean, 6).tolist(), "sd": np.round(sd, 6).tolist()}
    return {"names": list(NAMES), "inside": INSIDE, **scale, "members": stored}


def judged(case: Case, chooser: Chooser) -> tuple[float, float]:
    """Relative thickness error and confidence of the pair chosen."""
    if not len(case.features):
        return np.nan, 0.0
    score = chooser.scores(case.features)
    top = max(float(score.max()), 0.0)
    up = np.exp(score - top)
    share = up / (up.sum() + np.exp(-top))
    best = int(share.argmax())
    near = np.abs(case.thickness / case.thickness[best] - 1) < 0.05
    return float(case.error[best]), float(share[near].sum())


def all_cases() -> dict[str, list[Case]]:
    """Cases by kind: as they are, in disguise, without a muscle, simulated."""
    images = tuning_images()
    cases: dict[str, list[Case]] = {"as they are": [seen(each) for each in images]}
    cases |= {"in disguise": [], "without muscle": []}
    for seed, number in BATCHES:
        rng = np.random.default_rng(seed)
        cases["in disguise"] += [seen(disguised(each, rng)) for each in images for _ in range(number)]
        cases["without muscle"] += [seen(without_muscle(each, rng)) for each in images]
    return cases | {"simulated": [seen(phantom(k)) for k in PHANTOMS]}


def held_out(
    cases: dict[str, list[Case]], mean: Numbers, sd: Numbers, threshold: float
) -> dict[str, dict[str, float]]:
    """What each kind scores when its person (for phantoms: every fifth) was left out of the fit."""
    judgements: dict[str, list[tuple[float, float]]] = {kind: [] for kind in cases}
    every = [case for some in cases.values() for case in some]
    for k, person in enumerate(TUNING):
        fifth = {id(case) for case in cases["simulated"][k :: len(TUNING)]}
        rest = [c for c in every if c.group != person and id(c) not in fifth]
        chooser = chooser_from(numbers([member(packed(rest, mean, sd), 0)], mean, sd))
        for kind, some in cases.items():
            judgements[kind] += [judged(c, chooser) for c in some if c.group == person or id(c) in fifth]
    return {kind: _summary(np.array(values), threshold) for kind, values in judgements.items()}


def _summary(values: Numbers, threshold: float) -> dict[str, float]:
    error, confidence = np.abs(values[:, 0]), values[:, 1]
    kept = confidence >= threshold
    told = {"n": len(values), "refused": round(float(1 - kept.mean()), 3)}
    if np.isfinite(error[kept]).any():
        told |= {
            "mean_relative_error": round(float(np.nanmean(error[kept])), 4),
            "median_relative_error": round(float(np.nanmedian(error[kept])), 4),
            "gross": round(float(np.nanmean(error[kept] > 0.1)), 3),
        }
    return told


def main() -> None:
    cv2.setNumThreads(1)
    write(all_cases())


def write(cases: dict[str, list[Case]]) -> None:
    """Fit on all cases, judge each with its person left out, and store both."""
    every = [case for some in cases.values() for case in some]
    features = np.vstack([case.features for case in every])
    mean, sd = features.mean(axis=0), features.std(axis=0) + 1e-9
    stored = numbers([member(packed(every, mean, sd), seed) for seed in range(MEMBERS)], mean, sd)
    stored["made_from"] = (
        f"public muscle ultrasound, set 1 (CC0), subjects {', '.join(TUNING)} with marks of three readers, "
        f"{sum(n for _, n in BATCHES)} disguises of each image, {len(PHANTOMS)} simulated images, "
        f"{len(cases['without muscle'])} images without a whole muscle"
    )
    stored["held_out_threshold"] = Params().threshold
    stored["held_out"] = held_out(cases, mean, sd, Params().threshold)
    OUT.write_text(json.dumps(stored) + "\n", encoding="utf-8")
    print(json.dumps(stored["held_out"], indent=1))


if __name__ == "__main__":
    sys.exit(main())
