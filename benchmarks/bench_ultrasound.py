"""Speed of `measure ultrasound`: a run of sixty simulated images, start-up apart, one process and two."""

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.history import append
from myoproof.core.acquisition import Picture
from myoproof.delivery.ultrasound_files import write
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.workflow.ultrasound import Look, measure_image
from myoproof.workflow.ultrasound_many import measure_images

IMAGES = 60
DIFFERENT = 6
PEERS = "published, other machines: DL_Track_US 0.6 s per frame, MyoVision-US 1.4 s, DeepACSA 4.0 s per image"
LOOK = {"muscle": "vastus_lateralis"}


def images(folder: Path) -> list[Path]:
    """Sixty PNG files of 384 x 512 from six simulated muscles."""
    paths = []
    for k in range(DIFFERENT):
        params = BmodeParams(device=f"device-{'ac'[k % 2]}")
        simulated = frame(rng=np.random.default_rng(k), params=params)
        assert isinstance(simulated.acquisition.payload, Picture)
        for copy in range(IMAGES // DIFFERENT):
            paths.append(folder / f"muscle{k}_{copy}.png")
            write(simulated.acquisition, paths[-1])
    return paths


def timed(paths: list[Path], jobs: int) -> tuple[float, float]:
    """Seconds until the first answer, and seconds per image of the rest."""
    ticks: list[float] = []
    begin = time.perf_counter()
    measure_images(paths, LOOK, jobs=jobs, progress=lambda *_: ticks.append(time.perf_counter()))
    return ticks[0] - begin, (ticks[-1] - ticks[0]) / (len(ticks) - 1)


def main() -> None:
    """Time and memory."""
    with tempfile.TemporaryDirectory() as name:
        paths = images(Path(name))
        one_start, one = timed(paths, 1)
        two_start, two = timed(paths, 2)
        spent = []
        for path in paths[:20]:
            begin = time.process_time()
            measure_image(path, Look(**LOOK))
            spent.append(time.process_time() - begin)
    record = {
        "images": IMAGES,
        "start_s": round(one_start, 2),
        "per_image_one_process_s": round(one, 3),
        "start_two_processes_s": round(two_start, 2),
        "per_image_two_processes_s": round(two, 3),
        "cpu_per_image_s": round(statistics.median(spent), 3),
        "memory_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "peers": PEERS,
    }
    append("ultrasound", record)


if __name__ == "__main__":
    sys.exit(main())
