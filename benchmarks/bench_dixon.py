"""How long a Dixon measurement takes beside nibabel + numpy doing the mean alone, and how far they agree."""

import resource
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks.history import append
from myoproof.core.acquisition import Volume
from myoproof.delivery.nifti import write
from myoproof.phantoms.dixon import demo_scans
from myoproof.workflow.verbs import DixonFiles, measure_dixon


def plain_means(folder: Path) -> dict[int, float]:
    """The peer: mean of F / (F + W) per label, as a short script of a user would do it."""
    fat, water, mask = (
        np.asanyarray(nib.load(folder / f"{n}.nii.gz").dataobj) for n in ("fat", "water", "mask")
    )
    total = fat.astype(float) + water
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = fat / total
    return {int(k): float(fraction[(mask == k) & (total > 0)].mean()) for k in np.unique(mask) if k}


def main() -> None:
    """Time both on one simulated bilateral scan, repeated; print ratio and largest difference."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build") / "bench_dixon"
    scan = demo_scans(rng=np.random.default_rng(1), n=1)[0]
    volume = scan.acquisition.payload
    assert isinstance(volume, Volume)
    for name, values in volume.channels.items():
        write(values, volume.affine, folder / f"{name}.nii.gz")
    write(scan.segmentation.labels, volume.affine, folder / "mask.nii.gz")
    files = DixonFiles(folder / "fat.nii.gz", folder / "water.nii.gz", folder / "mask.nii.gz", "huashan11")
    ours, peer = [], []
    for _ in range(3):
        start = time.perf_counter()
        rows = measure_dixon(files, options={"side_by_side": True})
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        means = plain_means(folder)
        peer.append(time.perf_counter() - start)
    fat = rows[(rows["measure"] == "fat_fraction") & (rows["side"] == "both") & (rows["at"] == "")]
    fat = fat[fat["method"] == "dixon"]
    difference = np.abs(fat["value"].to_numpy() - np.array([means[k] for k in sorted(means)])).max()
    append(
        "dixon",
        {
            "voxels": int(np.prod(volume.shape)),
            "seconds_with_intervals": round(min(ours), 2),
            "seconds_peer_mean_only": round(min(peer), 2),
            "ratio": round(min(ours) / min(peer), 1),
            "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
            "largest_difference": float(difference),
        },
    )


if __name__ == "__main__":
    main()
