"""Draw docs/img/run-ultrasound.png: the contact sheet of a simulated run in a browser (needs chromium)."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from myoproof.delivery.ultrasound_files import write
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.workflow import ultrasound_run

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "run-ultrasound.png"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
LOOKS = (
    ("vastus_lateralis", "longitudinal", "VL_left"),
    ("medial_gastrocnemius", "longitudinal", "GM_left"),
    ("biceps_brachii", "transverse", "biceps brachii_right_trans"),
)
WINDOW = (1250, 2350)
WIDTH = 800
COLOURS = 128


def main() -> None:
    """Simulate images, run over them, and photograph the contact sheet."""
    browser = next(path for name in PROGRAMS if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for seed, (site, view, name) in enumerate(LOOKS):
            for number in (1, 2, 3):
                rng = np.random.default_rng(100 * seed + number)
                made = frame(rng=rng, params=BmodeParams(site=site, view=view))
                write(made.acquisition, root / "images" / "sub-01" / f"{name}_{number}.dcm")
        options = ultrasound_run.Options(simulated=True)
        page = ultrasound_run.run(root / "images", root / "out", options=options).report
        shot = root / "page.png"
        size = f"--window-size={WINDOW[0]},{WINDOW[1]}"
        words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size]
        subprocess.run([*words, f"--screenshot={shot}", page.as_uri()], check=True, capture_output=True)
        image = Image.open(shot).convert("RGB")
        image = image.resize((WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)
        image.quantize(COLOURS).save(PICTURE, optimize=True)
    print(PICTURE, PICTURE.stat().st_size)


if __name__ == "__main__":
    main()
