"""Evidence of the nerve network and measure: images held out, changed and foreign ones, simulated nerves."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.measures import nerve as nerve_measure
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.segmentation import nerve, nerve_network

OUT = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "nerve.csv"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SITES = ("median_wrist", "median_forearm", "median_upper_arm", "ulnar_elbow", "tibial_ankle", "fibular_head")
SIMULATED = 60
DICE, ICC, FIRES, RARE = 0.80, 0.90, 0.95, 0.05
Grey = npt.NDArray[np.uint8]
Row = dict[str, object]


def moved(down: float, across: float) -> Callable[[Grey], Grey]:
    """A move by shares of height and width; what comes in is black."""

    def change(grey: Grey) -> Grey:
        high, wide = grey.shape
        matrix = np.array([[1, 0, across * wide], [0, 1, down * high]], dtype=np.float64)
        return np.asarray(cv2.warpAffine(grey, matrix, (wide, high)), dtype=np.uint8)

    return change


def lighter(levels: int) -> Callable[[Grey], Grey]:
    """Grey levels added, the black screen included."""
    return lambda grey: np.clip(grey.astype(int) + levels, 0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[Grey], Grey]] = {
    "grey inverted": lambda grey: 255 - grey,
    "grey inverted within the tissue": lambda grey: np.where(grey > 4, 255 - grey, grey).astype(np.uint8),
    "upside down": lambda grey: np.ascontiguousarray(grey[::-1]),
    "turned by 90 degrees": lambda grey: np.ascontiguousarray(grey.T),
    "rolled by a quarter of the width": lambda grey: np.roll(grey, grey.shape[1] // 4, axis=1),
    "rolled by half the width": lambda grey: np.roll(grey, grey.shape[1] // 2, axis=1),
    "rolled by a quarter of the height": lambda grey: np.roll(grey, grey.shape[0] // 4, axis=0),
    "rolled by half the height": lambda grey: np.roll(grey, grey.shape[0] // 2, axis=0),
    "moved right by 20 % of the width": moved(0.0, 0.2),
    "moved left by 20 % of the width": moved(0.0, -0.2),
    "moved down by 20 % of the height": moved(0.2, 0.0),
    "moved up by 20 % of the height": moved(-0.2, 0.0),
    "60 grey levels lighter": lighter(60),
    "noise": lambda grey: np.random.default_rng(1).integers(0, 256, grey.shape, dtype=np.uint8),
}


def outside(grey: Grey) -> bool:
    """Whether the flag fires."""
    return bool(nerve.find_frame(grey, nerve_network.session(1)).doubts)


def share_row(metric: str, fired: list[bool], population: str, *, rare: bool = False) -> Row:
    """A row on how often the flag fires."""
    share = float(np.mean(fired))
    passed = share <= RARE if rare else share >= FIRES
    return {
        "kind": "domain",
        "metric": metric,
        "value": share,
        "n": len(fired),
        "population": population,
        "reference": "what was done to the image",
        "criterion": f"at most {RARE}" if rare else f"at least {FIRES}",
        "verdict": "pass" if passed else "fail",
    }


def held_out() -> list[Row]:
    """The card's numbers of the split network."""
    held = nerve_network.card()["held_out"]
    base: Row = {
        "kind": "agreement",
        "n": held["images"],
        "population": "real images of usgra-seg held out by similarity (Mindray TE7); split network",
        "reference": "masks of one examiner",
    }
    rows: list[Row] = []
    for label, goal in (("nerve", DICE), ("vessel", None)):
        low, high = held[f"{label}_dice_95"]
        own = {"metric": f"mean Dice of {label}", "value": held[f"{label}_dice"], "low": low, "high": high}
        if goal:
            verdict = "pass" if own["value"] >= goal else "fail"
            own |= {"criterion": f"at least {goal}", "verdict": verdict}
        rows.append(base | own)
        value, low, high = held[f"{label}_area_icc"]
        own = {"metric": f"ICC of {label} area", "value": value, "low": low, "high": high}
        if goal:
            own |= {"criterion": f"at least {ICC}", "verdict": "pass" if value >= ICC else "fail"}
        rows.append(base | own)
        area = held["area"][label]
        rows.append(
            base
            | {
                "metric": f"coverage of 95 % intervals of {label} area, each image by the others",
                "value": area["coverage_left_out"],
                "n": area["images"],
            }
        )
    rows.append(base | {"metric": "median Dice of nerve", "value": held["nerve_dice_median"]})
    rows.append(base | {"metric": "images with nerve Dice below 0.5", "value": held["nerve_dice_below_half"]})
    rows.append(base | {"metric": "Dice of the most alike training mask", "value": held["copy_nearest_dice"]})
    for part in held["by_similarity"]:
        low, high = part["similarity"]
        text = f"similarity to training {low:.2f}-{high:.2f}"
        rows.append(
            base | {"metric": f"Dice of nerve, {text}", "value": part["nerve_dice"], "n": part["images"]}
        )
        copied = f"Dice of the most alike training mask, {text}"
        rows.append(base | {"metric": copied, "value": part["copy_nearest"], "n": part["images"]})
    said = held["expected_dice"]
    rows.append(
        base | {"metric": "mean absolute error of expected Dice", "value": said["mean_absolute_error"]}
    )
    rows.append(
        share_row("domain flag on images held out", [False], str(base["population"]), rare=True)
        | {
            "value": held["flagged"],
            "n": held["images"],
            "verdict": "pass" if held["flagged"] <= RARE else "fail",
        }
    )
    return rows


def domain(folder: Path) -> list[Row]:
    """How often the flag fires on changed nerve images and on muscle."""
    own = [cv2.imread(str(path), 0) for path in sorted((folder / "us_nerve" / "images").glob("*.png"))[::5]]
    text = "real images of usgra-seg (every fifth), changed"
    rows = [
        share_row(f"domain flag: {name}", [outside(change(g)) for g in own], text)
        for name, change in CHANGES.items()
    ]
    muscle = folder / "us_muscle"
    parts = {
        "vastus lateralis, GE LOGIQ E9, subjects S1-S5": [*muscle.glob("dataset 1/S[1-5]/*.png")],
        "vastus lateralis, GE LOGIQ E9, other subjects": [
            path
            for path in muscle.glob("dataset 1/S*/*.png")
            if path.parent.name not in {"S1", "S2", "S3", "S4", "S5"}
        ],
        "gastrocnemius medialis, Telemed": [
            *muscle.glob("dataset 3/**/*.jpg"),
            *muscle.glob("dataset 3/**/*.png"),
        ],
    }
    for name, paths in parts.items():
        fired = [outside(cv2.imread(str(path), 0)) for path in sorted(paths)]
        if fired:
            rows.append(share_row(f"domain flag: muscle, {name}", fired, "real images of us_muscle"))
    return rows


def simulated() -> list[Row]:
    """The measure on the true masks of simulated nerves."""
    errors, areas, covered = [], [], []
    for seed in range(SIMULATED):
        params = BmodeParams(
            view="nerve", site=SITES[seed % len(SITES)], device=("device-a", "device-c")[seed % 2]
        )
        scan = frame(rng=np.random.default_rng(9000 + seed), params=params)
        rows = nerve_measure.measure(scan.acquisition, scan.segmentation).set_index("measure")
        truth = scan.rows.set_index("measure")["value"]
        ratio = rows.loc["nerve_fascicle_ratio"]
        errors.append(float(ratio["value"] - truth["nerve_fascicle_ratio"]))
        covered.append(bool(ratio["low"] <= truth["nerve_fascicle_ratio"] <= ratio["high"]))
        area = float(rows.loc["nerve_cross_sectional_area", "value"])
        areas.append(area / float(truth["nerve_cross_sectional_area"]) - 1)
    base: Row = {
        "kind": "agreement",
        "n": SIMULATED,
        "population": "simulated nerves of six sites, two devices, true masks",
        "reference": "phantom truth",
    }
    return [
        base
        | {
            "metric": "largest relative error of nerve area on true masks",
            "value": float(np.abs(areas).max()),
        },
        base | {"metric": "bias of the fascicle ratio", "value": float(np.mean(errors))},
        base | {"metric": "SD of the error of the fascicle ratio", "value": float(np.std(errors, ddof=1))},
        base
        | {"metric": "coverage of 95 % intervals of the fascicle ratio", "value": float(np.mean(covered))},
    ]


def tool(metric: str) -> str:
    """What a row is about: the segmenter or the measure."""
    return (
        f"{nerve_measure.METHOD}@{nerve_measure.METHOD_VERSION}"
        if "ratio" in metric or "true masks" in metric
        else nerve.RATER
    )


def main() -> None:
    """Write the table that ships; public data lies where MYOPROOF_DATA says, or beside the repository."""
    rows = held_out() + domain(Path(os.environ.get("MYOPROOF_DATA", DATA))) + simulated()
    stamp = {"version": __version__, "date": str(np.datetime64("today"))}
    table = evidence_frame([stamp | row | {"about": tool(str(row["metric"]))} for row in rows])
    table.to_csv(OUT, index=False, lineterminator="\n")
    print(table[["metric", "value", "n", "verdict"]].to_string())


if __name__ == "__main__":
    main()
