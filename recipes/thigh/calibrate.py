"""Temperature, expected Dice and the model card, from simulated legs of held-out people."""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
from myoproof.segmentation import thigh_network as network
from myoproof.segmentation import thigh_shape_fuse as shape
from myoproof.segmentation.thigh_shape_fit import Evidence

MUSCLES = ("SA", "RF", "VL", "VI", "VM", "AM", "GR", "BL", "ST", "SM", "BB")
STRATA = (("below 20 %", 0.0, 0.2), ("20-50 %", 0.2, 0.5), ("above 50 %", 0.5, 1.0))
TEMPERATURES = np.round(np.arange(0.7, 1.31, 0.1), 2)
MOVES = len(network.MOVES)


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """The weights as the package runs them."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def silent(share: float) -> None:
    """Nobody is told."""


def averaged(logits: list[np.ndarray], temperature: float) -> np.ndarray:
    """The runtime's average over moves, at a temperature."""
    total = np.zeros_like(logits[0])
    for own, (turn, scale) in zip(logits, network.MOVES, strict=True):
        total += network._moved(network._softmax(own / temperature), -turn, 1 / scale)
    total[:, 0] += np.maximum(MOVES - total.sum(axis=1), 0)
    return total / total.sum(axis=1, keepdims=True)


def fit_temperature(session: onnxruntime.InferenceSession, x: np.ndarray, y: np.ndarray) -> dict:
    """The temperature of least negative log-likelihood, over tissue pixels."""
    costs, errors = np.zeros(TEMPERATURES.size), {}
    for start in range(0, len(x), 16):
        images, truth = x[start : start + 16].astype(np.float32), y[start : start + 16].astype(np.intp)
        tissue = images.max(axis=1) > 0.1
        logits = [session.run(None, {"image": network._moved(images, *move)})[0] for move in network.MOVES]
        for number, temperature in enumerate(TEMPERATURES):
            chance = averaged(logits, float(temperature))
            own = np.take_along_axis(chance, truth[:, None], axis=1)[:, 0][tissue]
            costs[number] -= np.log(np.maximum(own, 1e-7)).sum()
            sure, right = chance.max(axis=1)[tissue], (chance.argmax(axis=1) == truth)[tissue]
            bins = np.minimum((sure * 10).astype(int), 9)
            sums = np.stack(
                [np.bincount(bins, weights=w, minlength=10) for w in (np.ones(sure.size), sure, right)]
            )
            errors[number] = errors.get(number, 0) + sums
    best = int(costs.argmin())

    def error(number: int) -> float:
        count, sure, right = errors[number]
        return float(np.abs(sure - right).sum() / count.sum())

    one = int(np.flatnonzero(TEMPERATURES == 1.0)[0])
    return {
        "temperature": float(TEMPERATURES[best]),
        "calibration_error_before": round(error(one), 4),
        "calibration_error": round(error(best), 4),
    }


def leg_rows(session: onnxruntime.InferenceSession, legs: dict, temperature: float) -> list[dict]:
    """A row for each muscle of each leg: Dice, and the Dice expected; where heights are told, with shape."""
    network.card()["temperature"] = temperature
    rows = []
    for number, (start, stop) in enumerate(zip(legs["start"][:-1], legs["start"][1:], strict=True)):
        images = legs["x"][start:stop].astype(np.float32)
        truth = legs["y"][start:stop]
        chance = network.probabilities(session, images, moves=MOVES, tell=silent)
        if "height_mm" in legs:
            heights = legs["height_mm"][start:stop]
            centres = legs["centre_mm"][start:stop] if "centre_mm" in legs else np.zeros((len(images), 2))
            chance = shape.fuse([Evidence(chance, images, heights, centres)])[0].chance
        best = chance.argmax(axis=1)
        for label in range(1, 12):
            mine, own = best == label, truth == label
            if not mine.any() and not own.any():
                continue
            soft = 2 * chance[:, label][mine].sum() / max(mine.sum() + chance[:, label].sum(), 1e-9)
            rows.append(
                {
                    "leg": number,
                    "label": label,
                    "dice": 2 * (mine & own).sum() / (mine.sum() + own.sum()),
                    "soft": float(soft) if mine.any() else np.nan,
                    "fat": float(legs["fat"][number][label - 1]),
                    "single": bool(legs["single"][number]),
                }
            )
    return rows


def fit_line(rows: list[dict]) -> tuple[float, float]:
    """Least squares of Dice on soft Dice over muscles that were found."""
    found = [row for row in rows if np.isfinite(row["soft"])]
    slope, intercept = np.polyfit([r["soft"] for r in found], [r["dice"] for r in found], 1)
    return round(float(slope), 3), round(float(intercept), 3)


def reliability(rows: list[dict], line: tuple[float, float]) -> dict:
    """How expected and true Dice go together on legs that the line was not fitted to."""
    found = [row for row in rows if np.isfinite(row["soft"])]
    said = np.clip([line[0] * r["soft"] + line[1] for r in found], 0, 1)
    true = np.array([r["dice"] for r in found])
    table = []
    for low in np.arange(0.3, 1.0, 0.1):
        inside = (said >= low) & (said < low + 0.1)
        if inside.sum() >= 10:
            table.append(
                [
                    round(float(said[inside].mean()), 3),
                    round(float(true[inside].mean()), 3),
                    int(inside.sum()),
                ]
            )
    return {
        "mean_expected": round(float(said.mean()), 3),
        "mean_true": round(float(true.mean()), 3),
        "correlation": round(float(np.corrcoef(said, true)[0, 1]), 3),
        "mean_absolute_error": round(float(np.abs(said - true).mean()), 3),
        "expected_true_count": table,
    }


def summary(rows: list[dict]) -> dict:
    """Mean Dice: all, by muscle, by fat fraction, of one contrast alone."""

    def mean(chosen: list[dict]) -> float | None:
        return round(float(np.mean([row["dice"] for row in chosen])), 3) if chosen else None

    pairs = [row for row in rows if not row["single"]]
    return {
        "legs": len({row["leg"] for row in rows}),
        "dice_fat_and_water": mean(pairs),
        "dice_one_contrast": mean([row for row in rows if row["single"]]),
        "dice_by_muscle": {
            name: mean([r for r in pairs if r["label"] == i + 1]) for i, name in enumerate(MUSCLES)
        },
        "dice_by_fat_fraction": {
            name: mean([r for r in pairs if low <= r["fat"] < high]) for name, low, high in STRATA
        },
    }


def leg_means(rows: list[dict], line: tuple[float, float]) -> np.ndarray:
    """Mean expected Dice of each leg, as the runtime sees it."""
    means = []
    for number in sorted({row["leg"] for row in rows}):
        own = [row["soft"] for row in rows if row["leg"] == number and np.isfinite(row["soft"])]
        means.append(np.clip(line[0] * np.array(own) + line[1], 0, 1).mean())
    return np.array(means)


def main() -> None:
    """Fit on the even legs, show on the odd ones, write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("legs", type=Path)
    parser.add_argument("card", type=Path)
    parser.add_argument("--about", type=Path, help="JSON of what a person writes on the card")
    parser.add_argument("--alone", type=Path, help="legs on which the network alone is shown beside")
    parser.add_argument("--slices", type=int, default=160, help="for the temperature")
    options = parser.parse_args()
    session, legs = open_session(options.weights), dict(np.load(options.legs))
    pick = np.linspace(0, len(legs["x"]) - 1, options.slices).round().astype(int)
    heat = fit_temperature(session, legs["x"][pick], legs["y"][pick])
    rows = leg_rows(session, legs, heat["temperature"])
    fitted, shown = ([row for row in rows if row["leg"] % 2 == odd] for odd in (0, 1))
    line = fit_line(fitted)
    alone = {}
    if options.alone:
        alone = {
            "network_alone_on_legs_of_legs_py": summary(
                leg_rows(session, dict(np.load(options.alone)), heat["temperature"])
            )
        }
    card = json.loads(options.about.read_text("utf-8")) if options.about else {}
    means = leg_means(rows, line)
    card |= {
        "sha256": hashlib.sha256(options.weights.read_bytes()).hexdigest(),
        "temperature": heat["temperature"],
        "dice_line": line,
        "held_out": summary(rows) | heat | {"expected_dice": reliability(shown, line)} | alone,
        "held_out_leg_expected_dice": {
            f"percentile {p}": round(float(np.percentile(means, p)), 3) for p in (1, 2, 5, 50)
        },
    }
    options.card.write_text(json.dumps(card, indent=1) + "\n", "utf-8")
    print(json.dumps(card, indent=1))


if __name__ == "__main__":
    main()
