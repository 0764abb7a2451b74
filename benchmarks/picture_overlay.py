"""Write docs/img/overlay.png: the quality-control picture of a simulated scan."""

from pathlib import Path

import numpy as np
from PIL import Image

from myoproof.delivery.overlay import write
from myoproof.measures.dixon import Params, measure
from myoproof.phantoms.dixon import demo_scans
from myoproof.workflow.verbs import mark_simulated

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "img" / "overlay.png"


def main() -> None:
    """Draw it, cut it to the first muscles and reduce its colours."""
    scan = demo_scans(rng=np.random.default_rng(20260115), n=2)[1]
    rows = mark_simulated(measure(scan.acquisition, scan.segmentation, params=Params(side_by_side=True)))
    write(scan.acquisition, scan.segmentation, rows, PICTURE)
    picture = Image.open(PICTURE).convert("RGB")
    width = 1100
    small = picture.resize((width, round(picture.height * width / picture.width)))
    small.crop((0, 0, width, min(small.height, 1000))).quantize(128).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
