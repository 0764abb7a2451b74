"""Simulated legs of held-out people whose slices hang together: what network and shape are judged on."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import generate
from shape_cut import HELD_OUT

SLICE_MM = 24.0
"""Thinner stacks are thinned to about this in half of the legs."""
PART = 0.3
"""Share of legs of which only a part is in view."""
LEAST = 5
"""Slices of a leg at least."""
MOST = 24
ABOVE = 3
"""Slices above the labels' end at most."""


def chosen(rng: np.random.Generator, height_mm: np.ndarray) -> np.ndarray:
    """Which slices of a stack a leg shows."""
    step = float(np.median(np.diff(height_mm)))
    every = max(1, round(SLICE_MM / step)) if rng.random() < 0.5 else max(1, round(len(height_mm) / MOST))
    rows = np.arange(len(height_mm))[::every]
    if rng.random() < PART and rows.size > LEAST:
        count = int(rng.integers(LEAST, rows.size))
        start = int(rng.integers(0, rows.size - count + 1))
        rows = rows[start : start + count]
    return rows


def leg(
    seed: int,
    templates: generate.Templates,
    bank: generate.Bank,
    rows: np.ndarray,
    logits: np.ndarray,
    above: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels: every slice is drawn with the same random numbers, so that one warp moves all."""
    given = [generate.Given(int(row), logits, seed + 1) for row in rows]
    given += [generate.Given(int(rows[-1]), logits, seed + 1, beyond=True)] * above
    drawn = [generate.sample(np.random.default_rng(seed), templates, bank, one) for one in given]
    images = np.stack([one[0] for one in drawn]).astype(np.float16)
    return images, np.stack([one[1] for one in drawn]).astype(np.uint8)


def main() -> None:
    """Write a file as legs.py does, with ``height_mm`` beside."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("templates", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--legs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=4711)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    data = np.load(options.templates)
    held = np.isin(data["subject"], HELD_OUT)
    stack, height = data["stack"][held], (data["level"] * data["step_mm"])[held]
    templates = generate.load(str(options.templates), held=True, only=HELD_OUT)
    none = [np.zeros(0, dtype=np.intp)] * int(held.sum())
    templates = replace(templates, along=none, across=none)
    bank = generate.Bank(rng)
    labelled = (templates.sdf.min(axis=1) < 0).sum(axis=(1, 2)) > 150
    stacks = [np.flatnonzero((stack == name) & labelled) for name in np.unique(stack)]
    out: dict[str, list] = {key: [] for key in ("x", "y", "height_mm", "fat", "subject", "single")}
    for number in range(options.legs):
        rows = stacks[number % len(stacks)]
        rows = rows[np.argsort(height[rows])]
        top = rows[-1]
        rows = rows[chosen(rng, height[rows])]
        above = int(rng.integers(0, ABOVE + 1)) if rows[-1] == top else 0
        logits = generate.fat_logits(rng)
        images, labels = leg(int(rng.integers(2**31)), templates, bank, rows, logits, above)
        out["x"].append(images)
        out["y"].append(labels)
        step = float(np.median(np.diff(height[rows])))
        out["height_mm"].append(np.append(height[rows], height[top] + step * np.arange(1, above + 1)))
        out["fat"].append(1 / (1 + np.exp(-logits)))
        out["subject"].append(str(templates.subject[rows[0]]))
        out["single"].append(bool(np.array_equal(images[:, 0], images[:, 1])))
    np.savez_compressed(
        options.out,
        start=np.cumsum([0, *(len(images) for images in out["x"])]),
        **{key: np.concatenate(out[key]) for key in ("x", "y", "height_mm")},
        **{key: np.array(out[key]) for key in ("fat", "subject", "single")},
    )


if __name__ == "__main__":
    main()
