"""Draw docs/img/run-page.png: the top of a scan's page, as a browser shows it (needs chromium)."""

import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from myoproof.delivery.nifti import write
from myoproof.phantoms.dixon import ThighParams
from myoproof.phantoms.multiecho import MultiechoParams, thighs
from myoproof.phantoms.multiecho_physics import Physics
from myoproof.sources import bids
from myoproof.workflow import mri

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "run-page.png"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SEED = 2
SCAN = MultiechoParams(
    ThighParams(voxel_mm=1.5, matrix=(132, 124), n_slices=3, gap_mm=25.0),
    physics=Physics(field_hz=150.0, r2star_per_s=(20.0, 60.0)),
)
WINDOW = (1250, 1500)
WIDTH = 800
COLOURS = 128


def main() -> None:
    """Simulate a scan, run over it, and photograph its page."""
    browser = next(path for name in PROGRAMS if (path := shutil.which(name)))
    scan = thighs(rng=np.random.default_rng(SEED), params=SCAN)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        bids.write(replace(scan.acquisition, subject="sub-01", session="m00", run=""), root / "scans")
        mask = root / "masks" / "sub-01_ses-m00_desc-reader1_dseg.nii.gz"
        write(scan.segmentation.labels, scan.segmentation.affine, mask)
        options = mri.Options(simulated=True, maps=False)
        mri.run(root / "scans", root / "out", masks=root / "masks", options=options)
        (page,) = (root / "out" / "delivery" / "scans").glob("*.html")
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
