"""How long the thigh network takes on 60 slices of two thighs, its memory, and its Dice on phantoms."""

import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.history import append
from myoproof.core.acquisition import Acquisition, Volume
from myoproof.phantoms import dixon
from myoproof.segmentation import thigh
from myoproof.sources import nifti

SLICES = 60
SEEDS = range(7100, 7112)
COARSE = dixon.ThighParams(voxel_mm=1.5, matrix=(144, 128), n_slices=6, gap_mm=20.0)
"""The network never saw a phantom of this make."""
STRATA = ((0.0, 0.2), (0.2, 0.5), (0.5, 1.0))


def dice(found: np.ndarray, truth: np.ndarray, label: int) -> float:
    """Agreement of one label, 0-1."""
    mine, own = found == label, truth == label
    return float(2 * (mine & own).sum() / max(mine.sum() + own.sum(), 1))


def large_scan() -> Acquisition:
    """Sixty slices of two thighs at 0.75 mm: a coarse phantom blown up, so that making it costs nothing."""
    scan = dixon.bilateral(rng=np.random.default_rng(1), params=COARSE)
    volume = scan.acquisition.payload
    assert isinstance(volume, Volume)
    grown = {
        name: np.ascontiguousarray(image.repeat(2, 0).repeat(2, 1).repeat(SLICES // 6, 2))
        for name, image in volume.channels.items()
    }
    return Acquisition("s", "m00", "1", "dixon", Volume(grown, np.diag([0.75, 0.75, 5.0, 1.0])))


def accuracy() -> dict[str, object]:
    """Dice over simulated thighs: all, and by the fat fraction of the muscle."""
    rows = []
    for seed in SEEDS:
        params = replace(COARSE, pattern="als" if seed % 4 == 0 else "dystrophy")
        scan = dixon.bilateral(rng=np.random.default_rng(seed), params=params)
        labels = thigh.segment(scan.acquisition, params=thigh.Params(threads=2, refuse=False)).labels
        truth, volume = scan.exact.labels, scan.acquisition.payload
        assert isinstance(volume, Volume)
        fat, water = volume.channels["fat"], volume.channels["water"]
        for label in range(1, 12):
            own = truth == label
            fraction = float((fat[own] / np.maximum(fat[own] + water[own], 1)).mean())
            rows.append((label, fraction, dice(labels, truth, label)))
    table = np.array(rows)
    record: dict[str, object] = {"scans": len(SEEDS), "dice": round(float(table[:, 2].mean()), 3)}
    for low, high in STRATA:
        here = (table[:, 1] >= low) & (table[:, 1] < high)
        record[f"dice_fat_{low:.1f}_{high:.1f}"] = round(float(table[here, 2].mean()), 3)
    record["dice_worst_muscle"] = round(
        min(float(table[table[:, 0] == k, 2].mean()) for k in range(1, 12)), 3
    )
    return record


def real(folder: Path) -> dict[str, object]:
    """Dice, per muscle, of the public patient with a model-made mask: looked at, never tuned on."""
    scan = nifti.read(folder / "Thigh_001_0000.nii.gz", folder / "Thigh_001_0001.nii.gz")
    truth, _ = nifti.read_mask(folder / "Thigh_001.nii.gz")
    labels = thigh.segment(scan, params=thigh.Params(threads=2, refuse=False)).labels
    values = [dice(labels, truth, label) for label in range(1, 12)]
    return {"thigh_001": round(float(np.mean(values)), 3), "muscles": " ".join(f"{v:.2f}" for v in values)}


def main() -> None:
    """Time and memory of the large scan, then accuracy; with a folder also the real patient."""
    scan = large_scan()
    volume = scan.payload
    assert isinstance(volume, Volume)
    start = time.perf_counter()
    thigh.segment(scan, params=thigh.Params(threads=2, refuse=False))
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    record: dict[str, object] = {
        "shape": "x".join(map(str, volume.shape)),
        "seconds": round(seconds, 1),
        "peak_mb": round(memory),
        **accuracy(),
    }
    if sys.argv[1:]:
        print(real(Path(sys.argv[1])))
    append("segment", record)


if __name__ == "__main__":
    main()
