"""How long nerve and vessel take an image: read, found, measured, written; one process, start-up apart."""

import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.history import append
from myoproof.core.acquisition import Picture
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.workflow import nerve

IMAGES = 50
SHAPE = (512, 534)
"""As large as most images the network learnt."""


def main() -> None:
    """Time per image over fifty copies of a few simulated images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(5):
            params = BmodeParams(view="nerve", site="median_forearm", shape=SHAPE)
            picture = frame(rng=np.random.default_rng(seed), params=params).acquisition.payload
            assert isinstance(picture, Picture)
            for copy in range(IMAGES // 5):
                cv2.imwrite(str(folder / f"{seed}_{copy}.png"), picture.pixels[0, ..., 0])
        tasks = [
            {"path": str(path), "run": path.stem, "look": {}, "target": str(folder / "masks" / path.stem)}
            for path in sorted(folder.glob("*.png"))
        ]
        nerve.job(tasks[0])
        wall, used = time.perf_counter(), time.process_time()
        for task in tasks:
            nerve.job(task)
        wall, used = time.perf_counter() - wall, time.process_time() - used
    record: dict[str, object] = {
        "images": IMAGES,
        "shape": "x".join(map(str, SHAPE)),
        "seconds_an_image": round(wall / IMAGES, 3),
        "processor_seconds_an_image": round(used / IMAGES, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    append("nerve", record)


if __name__ == "__main__":
    main()
