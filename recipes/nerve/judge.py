"""The split network on the images held out: Dice, areas, calibration, domain; then the card that ships."""

import argparse
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
from myoproof.numerics.icc import intraclass_correlation
from myoproof.segmentation import nerve, nerve_domain, nerve_network
from myoproof.segmentation.nerve_frame import WIDTH, make_canvas, restored
from scipy import optimize

FRAME = {
    "middle": 0.466,
    "most_off_middle": 0.045,
    "most_off_centre": 0.08,
    "most_rest": 0.45,
    "brightest_dark": 8.0,
    "strongest_seam": 6.0,
    "least_deep": 0.38,
    "most_deep": 1.6,
}
"""Where the tissue lies in an image; the training images: middle 0.45-0.47, off centre at most 0.06, rest at
most 0.36, darkest 0, seam at most 4, depth 0.46-1.31 widths."""
FLOOR = 0.05
"""Least SD of the log of an area (proposal)."""
AXES = {"look": 24, "deep": 24}
QUANTILES = {"look": 0.975, "deep": 0.985}
"""Limits of the domain: quantiles of the distances of images from the clouds of others. At 0.985 the look let
5 of 90 muscle images pass (us_muscle, set 1, subjects S1-S5, on which this was chosen); at 0.975 none."""


class Images:
    """Grey images, drawn labels, canvases, the split, and one network's answers."""

    def __init__(self, folder: Path, split: Path) -> None:
        parts = np.load(split)
        self.held, self.clusters = parts["held"], parts["clusters"]
        self.nearest, self.alike, self.names = parts["nearest"], parts["alike"], parts["names"]
        self.grey = [cv2.imread(str(folder / "images" / f"{name}.png"), 0) for name in self.names]
        drawn = [cv2.imread(str(folder / "masks" / f"{name}.png")) for name in self.names]
        self.truth = [
            np.where(m[..., 2] > 64, 1, np.where(m[..., 1] > 64, 2, 0)).astype(np.uint8) for m in drawn
        ]
        self.canvas = [make_canvas(grey) for grey in self.grey]
        self.look = np.array([nerve_domain.look(canvas) for canvas in self.canvas])

    def answers(self, weights: Path, which: np.ndarray) -> tuple[dict[int, np.ndarray], np.ndarray]:
        """Logits of the chosen images, and the embedding of all."""
        network = nerve_network.opened(weights.read_bytes(), 1)
        kept, deep = {}, []
        for index, canvas in enumerate(self.canvas):
            said, inner = nerve_network.logits(network, canvas)
            deep.append(inner)
            if which[index]:
                kept[index] = said
        return kept, np.array(deep)


def dice(mine: np.ndarray, own: np.ndarray) -> float:
    total = mine.sum() + own.sum()
    return float(2 * (mine & own).sum() / total) if total else float("nan")


def temperature_of(data: Images, answers: dict[int, np.ndarray]) -> float:
    """The temperature at which the probabilities fit the drawn labels best."""
    samples, labels = [], []
    rng = np.random.default_rng(1)
    for index, said in answers.items():
        canvas = data.canvas[index]
        truth = data.truth[index][canvas.box.top :, canvas.box.left : canvas.box.right]
        truth = cv2.resize(truth, (WIDTH, canvas.rows), interpolation=cv2.INTER_NEAREST)
        pick = rng.integers(0, truth.size, 4000)
        samples.append(said[:, :, : canvas.rows].reshape(len(said), 3, -1)[:, :, pick])
        labels.append(truth.ravel()[pick])
    x, y = np.concatenate(samples, axis=2), np.concatenate(labels)

    def cost(log_t: float) -> float:
        z = x / np.exp(log_t)
        p = np.exp(z - z.max(1, keepdims=True))
        p = (p / p.sum(1, keepdims=True)).mean(0)
        return float(-np.log(p[y, np.arange(y.size)] + 1e-9).mean())

    return float(np.exp(optimize.minimize_scalar(cost, bounds=(-0.7, 1.2), method="bounded").x))


def table(data: Images, answers: dict[int, np.ndarray], temperature: float) -> np.ndarray:
    """Of each image: Dice nerve and vessel, areas found and drawn (px2) of both, soft Dice of both."""
    rows = []
    for index, said in answers.items():
        canvas, truth = data.canvas[index], data.truth[index]
        full = restored(nerve_network.probabilities(said, temperature), canvas)
        labels = nerve.tidied(full.argmax(0).astype(np.uint16), canvas.box)
        soft = nerve.expected_dice(full, labels, (1.0, 0.0))
        row = [dice(labels == k, truth == k) for k in (1, 2)]
        for k in (1, 2):
            row += [float((labels == k).sum()), float((truth == k).sum())]
        rows.append([*row, soft.get(1, np.nan), soft.get(2, np.nan)])
    return np.array(rows)


def copied(data: Images, index: int) -> float:
    """Dice of the nerve where the mask of the most alike training image is laid over, mirrored if better."""

    def small(k: int) -> np.ndarray:
        box = data.canvas[k].box
        return cv2.resize(
            data.truth[k][box.top :, box.left : box.right], (WIDTH, data.canvas[k].rows), interpolation=0
        )

    own, other = small(index), small(int(data.nearest[index]))
    out = np.zeros_like(own)
    rows = min(len(own), len(other))
    looks = [data.canvas[k].grey[:rows].astype(float) for k in (index, int(data.nearest[index]))]
    same = np.corrcoef(looks[0].ravel(), looks[1].ravel())[0, 1]
    mirrored = np.corrcoef(looks[0].ravel(), looks[1][:, ::-1].ravel())[0, 1]
    out[:rows] = other[:rows] if same >= mirrored else other[:rows, ::-1]
    return dice(out == 1, own == 1)


def cloud(values: np.ndarray, axes: int) -> dict:
    """Mean, scale, main axes and their spread of some training features."""
    mean, scale = values.mean(0), values.std(0) + 1e-3
    own = (values - mean) / scale
    _, size, turn = np.linalg.svd(own, full_matrices=False)
    spread = size[:axes] / np.sqrt(len(values) - 1)
    left = own - own @ turn[:axes].T @ turn[:axes]
    return {
        "mean": np.round(mean, 5).tolist(),
        "scale": np.round(scale, 5).tolist(),
        "axes": np.round(turn[:axes], 4).tolist(),
        "spread": np.round(spread, 4).tolist(),
        "rest": round(float(np.sqrt((left**2).mean())), 5),
    }


def left_out(values: np.ndarray, clusters: np.ndarray, axes: int) -> np.ndarray:
    """Distance of each image from the cloud of all others' clusters."""
    out = np.zeros(len(values))
    for cluster in np.unique(clusters):
        mine = clusters == cluster
        model = cloud(values[~mine], axes)
        out[mine] = [nerve_domain.distance(one, model) for one in values[mine]]
    return out


def area_sd(rows: np.ndarray, label: int, line: np.ndarray) -> dict:
    """How far areas found lie from those drawn, where both are there: bias, and SD against expected Dice.

    The SD of the log ratio is ``floor + slope (1.05 - expected Dice)``, its slope such that 95 % of all lie
    within 1.96 SD; its coverage is told for each image by the others.
    """
    both = (rows[:, 2 + 2 * label] > 0) & (rows[:, 3 + 2 * label] > 0)
    log = np.log(rows[both, 2 + 2 * label] / rows[both, 3 + 2 * label])
    sure = np.clip(np.polyval(line, rows[both, 6 + label]), 0, 1)

    def slope(keep: np.ndarray) -> float:
        wanted = np.abs(log[keep]) / 1.96 - FLOOR
        return float(np.quantile(wanted / (1 - sure[keep] + 0.05), 0.95))

    alone = [
        abs(log[k]) <= 1.96 * (FLOOR + slope(np.arange(log.size) != k) * (1 - sure[k] + 0.05))
        for k in range(log.size)
    ]
    return {
        "images": int(both.sum()),
        "log_ratio_median": round(float(np.median(log)), 3),
        "log_ratio_sd": round(float(log.std()), 3),
        "sd": [round(slope(np.ones(log.size, bool)), 3), FLOOR],
        "coverage_left_out": round(float(np.mean(alone)), 3),
    }


def judged(data: Images, weights: Path) -> tuple[dict, dict]:
    """Numbers of the split network on the images held out, and the constants of the runtime."""
    answers, deep = data.answers(weights, data.held)
    temperature = temperature_of(data, answers)
    rows = table(data, answers, temperature)
    order = list(answers)
    nerves = rows[:, 0]
    pairs = np.concatenate([rows[:, [6, 0]], rows[:, [7, 1]]])
    pairs = pairs[np.isfinite(pairs).all(1)]
    line = np.polyfit(pairs[:, 0], pairs[:, 1], 1)
    expected = np.clip(np.polyval(line, pairs[:, 0]), 0, 1)
    icc = {k: intraclass_correlation(rows[:, [a, a + 1]]) for k, a in (("nerve", 2), ("vessel", 4))}
    alike = data.alike[order]
    cuts = np.quantile(alike, [1 / 3, 2 / 3])
    parts = np.digitize(alike, cuts)
    copy = np.array([copied(data, k) for k in order])
    by_likeness = [
        {
            "similarity": [
                round(float(alike[parts == k].min()), 3),
                round(float(alike[parts == k].max()), 3),
            ],
            "images": int((parts == k).sum()),
            "nerve_dice": round(float(np.nanmean(nerves[parts == k])), 3),
            "copy_nearest": round(float(np.nanmean(copy[parts == k])), 3),
        }
        for k in range(3)
    ]
    areas = {name: area_sd(rows, k, line) for name, k in (("nerve", 0), ("vessel", 1))}
    rng = np.random.default_rng(5)
    groups = data.clusters[order]
    names = np.unique(groups)
    means = []
    for _ in range(2000):
        drawn = np.concatenate([np.flatnonzero(groups == g) for g in rng.choice(names, names.size)])
        means.append([np.nanmean(rows[drawn, 0]), np.nanmean(rows[drawn, 1])])
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    numbers = {
        "images": len(order),
        "clusters": int(names.size),
        "nerve_dice": round(float(np.nanmean(nerves)), 3),
        "nerve_dice_95": [round(float(low[0]), 3), round(float(high[0]), 3)],
        "nerve_dice_median": round(float(np.nanmedian(nerves)), 3),
        "nerve_dice_below_half": int((nerves < 0.5).sum()),
        "vessel_dice": round(float(np.nanmean(rows[:, 1])), 3),
        "vessel_dice_95": [round(float(low[1]), 3), round(float(high[1]), 3)],
        "nerve_area_icc": [round(v, 3) for v in (icc["nerve"].value, icc["nerve"].low, icc["nerve"].high)],
        "vessel_area_icc": [
            round(v, 3) for v in (icc["vessel"].value, icc["vessel"].low, icc["vessel"].high)
        ],
        "area": areas,
        "nerves_missed": int((rows[:, 2] == 0).sum()),
        "copy_nearest_dice": round(float(np.nanmean(copy)), 3),
        "by_similarity": by_likeness,
        "temperature": round(temperature, 3),
        "expected_dice": {
            "correlation": round(float(np.corrcoef(expected, pairs[:, 1])[0, 1]), 3),
            "mean_absolute_error": round(float(np.abs(expected - pairs[:, 1]).mean()), 3),
        },
    }
    held = data.held
    look_left = left_out(data.look, data.clusters, AXES["look"])
    inner = cloud(deep[~held], AXES["deep"])
    deep_held = np.array([nerve_domain.distance(one, inner) for one in deep[held]])
    frames = [
        bool(nerve_domain.frame_doubts(g, c, FRAME)) for g, c in zip(data.grey, data.canvas, strict=True)
    ]
    constants = {
        "temperature": round(temperature, 3),
        "dice_line": [round(float(v), 3) for v in line],
        "look_most": round(float(np.quantile(look_left, QUANTILES["look"])), 3),
        "deep_most": round(float(np.quantile(deep_held, QUANTILES["deep"])), 3),
    }
    far = (look_left[held] > constants["look_most"]) | (deep_held > constants["deep_most"])
    numbers["flagged"] = round(float((far | np.array(frames)[held]).mean()), 3)
    return numbers, constants


def main() -> None:
    """Print the numbers; with --final write card and weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds images/ and masks/")
    parser.add_argument("split", type=Path)
    parser.add_argument("network", type=Path, help="ONNX of the split network")
    parser.add_argument("--final", type=Path, help="ONNX that ships")
    parser.add_argument("--about", type=Path, default=Path(__file__).with_name("about.json"))
    parser.add_argument("--target", type=Path, help="folder of the weights that ship")
    options = parser.parse_args()
    data = Images(options.folder, options.split)
    numbers, constants = judged(data, options.network)
    print(json.dumps(numbers, indent=1), json.dumps(constants))
    if not options.final:
        return
    _, deep = data.answers(options.final, np.zeros(len(data.names), bool))
    weights = options.final.read_bytes()
    card = json.loads(options.about.read_text("utf-8"))
    card |= {
        "sha256": hashlib.sha256(weights).hexdigest(),
        "temperature": constants["temperature"],
        "dice_line": constants["dice_line"],
        "held_out_images": [str(name) for name in data.names[data.held]],
        "held_out": numbers,
        "domain": {
            "frame": FRAME,
            "look": cloud(data.look, AXES["look"]) | {"most": constants["look_most"]},
            "deep": cloud(deep, AXES["deep"]) | {"most": constants["deep_most"]},
        },
    }
    (options.target / "nerve.onnx").write_bytes(weights)
    text = json.dumps(card, indent=1, ensure_ascii=False)
    (options.target / "nerve.json").write_text(_flat(text) + "\n", "utf-8")


def _flat(text: str) -> str:
    """Lists of numbers on one line."""
    lines, out, open_list = text.splitlines(), [], False
    for line in lines:
        word = line.strip()
        if open_list:
            out[-1] += word + (" " if word.endswith(",") else "")
            open_list = not word.startswith("]")
        elif word.endswith("[") and "axes" not in word:
            out.append(line)
            open_list = True
        else:
            out.append(line)
    return "\n".join(out)


if __name__ == "__main__":
    main()
