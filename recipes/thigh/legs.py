"""Simulated legs of held-out people, slice by slice: what calibration and the benchmark are made on."""

import argparse
from pathlib import Path

import numpy as np

import generate
from train import HELD_OUT

SLICES = 10
"""At most so many of a leg's templates, evenly spread."""
WHOLE = 0.85
"""A stack that reaches this height has the labels' upper end in it."""


ABOVE = 2
"""At most so many slices above the labels' end are added, as scans have them."""


def leg(rng: np.random.Generator, templates: generate.Templates, bank: generate.Bank, stacks: list) -> dict:
    """One leg, upwards: images (slice, 2, 112, 112), labels, place (mm), fat fraction of each muscle."""
    rows, places = stacks[rng.integers(len(stacks))]
    pick = np.unique(np.linspace(0, len(rows) - 1, SLICES).round().astype(int))
    rows, places = rows[pick], places[pick]
    logits, seed = generate.fat_logits(rng), int(rng.integers(2**31))
    given = [generate.Given(int(row), logits, seed) for row in rows]
    if templates.height[rows[-1]] > WHOLE:
        above = int(rng.integers(0, ABOVE + 1))
        given += [generate.Given(int(rows[-1]), logits, seed, beyond=True)] * above
        places = np.concatenate([places, places[-1] + np.diff(places).mean() * np.arange(1, above + 1)])
    drawn = [generate.sample(rng, templates, bank, one) for one in given]
    images = np.stack([one[0] for one in drawn]).astype(np.float16)
    labels = np.stack([one[1] for one in drawn]).astype(np.uint8)
    return {
        "x": images,
        "y": labels,
        "place_mm": places,
        "fat": 1 / (1 + np.exp(-logits)),
        "subject": str(templates.subject[rows[0]]),
        "single": bool(np.array_equal(images[:, 0], images[:, 1])),
    }


def main() -> None:
    """Write legs.npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("templates", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--legs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=90210)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    templates = generate.load(str(options.templates), held=True, only=HELD_OUT)
    data = np.load(options.templates)
    stack = data["stack"][np.isin(data["subject"], HELD_OUT)]
    mm = (data["level"] * data["step_mm"])[np.isin(data["subject"], HELD_OUT)]
    stacks = [(rows, mm[rows]) for rows in (np.flatnonzero(stack == name) for name in np.unique(stack))]
    bank = generate.Bank(rng)
    legs = [leg(rng, templates, bank, stacks) for _ in range(options.legs)]
    np.savez_compressed(
        options.out,
        x=np.concatenate([one["x"] for one in legs]),
        y=np.concatenate([one["y"] for one in legs]),
        place_mm=np.concatenate([one["place_mm"] for one in legs]),
        start=np.cumsum([0, *(len(one["x"]) for one in legs)]),
        fat=np.stack([one["fat"] for one in legs]),
        subject=np.array([one["subject"] for one in legs]),
        single=np.array([one["single"] for one in legs]),
    )


if __name__ == "__main__":
    main()
