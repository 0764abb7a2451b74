"""Evidence of the thigh network: simulated legs of its recipe, phantoms of another make, one real patient."""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from benchmarks.bench_segment import SEEDS, accuracy
from myoproof import __version__
from myoproof.core.acquisition import Volume
from myoproof.core.evidence import evidence_frame
from myoproof.segmentation import thigh, thigh_network
from myoproof.sources import nifti

OUT = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "thigh.csv"
MUSCLES = ("SA", "RF", "VL", "VI", "VM", "AM", "GR", "BL", "ST", "SM", "BB")
STRATA = (("below 20 %", 0.0, 0.2), ("20-50 %", 0.2, 0.5), ("above 50 %", 0.5, 1.01))
FLOOR, FAT_ERROR, AREA_ERROR = 0.70, 0.02, 0.08
Labels = npt.NDArray[np.uint16]
Bools = npt.NDArray[np.bool_]


def hd95_mm(
    mine: npt.NDArray[np.bool_], own: npt.NDArray[np.bool_], spacing: npt.NDArray[np.float64]
) -> float:
    """The 95th percentile of the distances between two surfaces, both ways; NaN where one is empty."""
    if not mine.any() or not own.any():
        return float("nan")
    box = ndimage.find_objects((mine | own).astype(np.int8))[0]
    parts = [np.pad(part[box], 1) for part in (mine, own)]
    surfaces = [part & ~ndimage.binary_erosion(part) for part in parts]
    far = [ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in surfaces]
    return float(np.percentile(np.concatenate([far[1][surfaces[0]], far[0][surfaces[1]]]), 95))


def compared(found: Labels, truth: Labels, volume: Volume) -> list[dict[str, float]]:
    """A row a muscle, both sides together: Dice, HD95, and errors of what is measured in the found mask."""
    fat, water = volume.channels["fat"], volume.channels["water"]
    fraction = np.divide(fat, fat + water, out=np.zeros_like(fat), where=fat + water > 0)
    rows = []
    for label in range(1, 12):
        mine, own = found == label, truth == label
        lean, lean_true = (float((1 - fraction[mask]).sum()) for mask in (mine, own))
        rows.append(
            {
                "dice": float(2 * (mine & own).sum() / max(mine.sum() + own.sum(), 1)),
                "hd95_mm": hd95_mm(mine, own, volume.spacing_mm),
                "fat": float(fraction[own].mean()),
                "fat_error": float(fraction[mine].mean() - fraction[own].mean()) if mine.any() else np.nan,
                "functional_error": lean / lean_true - 1,
                "volume_error": float(mine.sum() / own.sum() - 1),
            }
        )
    return rows


def patient(folder: Path) -> list[dict[str, object]]:
    """The public patient Thigh_001."""
    scan = nifti.read(folder / "Thigh_001_0000.nii.gz", folder / "Thigh_001_0001.nii.gz")
    truth, _ = nifti.read_mask(folder / "Thigh_001.nii.gz")
    volume = scan.payload
    assert isinstance(volume, Volume)
    found = thigh.find(scan, params=thigh.Params(threads=2, refuse=False))
    rows = compared(found.segmentation.labels, truth, volume)
    for name, row in zip(MUSCLES, rows, strict=True):
        print(name, {key: round(value, 3) for key, value in row.items()})
    print("outside:", found.outside or "no", "| says of itself:", np.mean(list(found.sides.values())))
    base = {
        "kind": "agreement",
        "n": 1,
        "population": "real patient Thigh_001, muscular dystrophy, IDEAL, 16 slices of 24 mm, both thighs",
        "reference": "mask of another network (nnU-Net), public; not drawn by a reader",
    }
    dice = np.array([row["dice"] for row in rows])
    own = np.array([row["fat"] for row in rows])
    fat_error = float(np.abs([row["fat_error"] for row in rows]).mean())
    functional = float(np.abs([row["functional_error"] for row in rows]).mean())
    goal = {"criterion": f"at least {FLOOR}", "verdict": "pass" if dice.mean() >= FLOOR else "fail"}
    out: list[dict[str, object]] = [base | goal | {"metric": "mean Dice of 11 muscles", "value": dice.mean()}]
    out += [
        base
        | {
            "metric": "mean absolute error of fat fraction of a muscle",
            "value": fat_error,
            "criterion": f"at most {FAT_ERROR}",
            "verdict": "pass" if fat_error <= FAT_ERROR else "fail",
        },
        base
        | {
            "metric": "mean absolute relative error of functional remaining volume of a muscle",
            "value": functional,
            "criterion": f"at most {AREA_ERROR}",
            "verdict": "pass" if functional <= AREA_ERROR else "fail",
        },
    ]
    for name, low, high in STRATA:
        here = (own >= low) & (own < high)
        if here.any():
            metric = f"Dice, {here.sum()} muscles with fat fraction {name}"
            out.append(base | {"metric": metric, "value": dice[here].mean()})
    for name, row in zip(MUSCLES, rows, strict=True):
        out.append(base | {"metric": f"Dice of {name}", "value": row["dice"]})
        out.append(base | {"metric": f"HD95 of {name}, mm", "value": row["hd95_mm"]})
    return out


def simulated() -> list[dict[str, object]]:
    """The card's held-out legs, and phantoms of another make."""
    held = thigh_network.card()["held_out"]
    base: dict[str, object] = {"kind": "agreement", "n": held["legs"], "reference": "phantom truth"}
    base["population"] = "simulated legs with the anatomy of 6 held-out people, generator of the recipe"
    rows = [base | {"metric": "mean Dice, fat and water", "value": held["dice_fat_and_water"]}]
    rows.append(base | {"metric": "mean Dice, one contrast alone", "value": held["dice_one_contrast"]})
    for name, value in held["dice_by_fat_fraction"].items():
        rows.append(base | {"metric": f"Dice, muscles with fat fraction {name}", "value": value})
    said = held["expected_dice"]
    rows.append(
        base | {"metric": "mean absolute error of expected Dice", "value": said["mean_absolute_error"]}
    )
    rows.append(base | {"metric": "expected calibration error of voxels", "value": held["calibration_error"]})
    other = accuracy()
    base |= {"n": len(SEEDS), "population": "simulated pairs of thighs of another make (phantom dixon)"}
    for metric, value in other.items():
        if metric != "scans":
            rows.append(base | {"metric": metric.replace("_", " "), "value": value})
    return rows


def main() -> None:
    """Write the table that ships; the patient is added where the folder is given."""
    rows = simulated() + (patient(Path(sys.argv[1])) if sys.argv[1:] else [])
    stamp = {"about": thigh.RATER, "version": __version__, "date": str(np.datetime64("today"))}
    table = evidence_frame([stamp | row for row in rows])
    table.to_csv(OUT, index=False, lineterminator="\n")
    print(table[["metric", "value", "verdict"]].to_string())


if __name__ == "__main__":
    main()
