"""Draw the pictures of the pages on describing and harmonising, from simulated cohorts.

Run ``python -m benchmarks.picture_describe``: writes docs/img/harmonise.svg, describe-cloud.svg and others.
"""

import shutil
import tempfile
from pathlib import Path

from myoproof.measures.harmonise import Params
from myoproof.workflow.describe import describe_cohort
from myoproof.workflow.harmonise import apply_model, fit_model
from myoproof.workflow.templates import write_example

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "img"
SHOWN = ("differences", "missing", "visits", "device", "cloud-1", "course-1")


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_example("als-mri-progression", folder / "mri")
        write_example("als-nmus-phenotypes", folder / "nmus")
        describe_cohort(
            folder / "mri" / "cohort", folder / "description", features=["fat_fraction/thigh/both"]
        )
        for part in SHOWN:
            drawn = folder / "description" / "figures" / f"describe-{part}.svg"
            if drawn.is_file():
                shutil.copyfile(drawn, IMAGES / f"describe-{part.removesuffix('-1')}.svg")
        cohort = folder / "nmus" / "cohort"
        params = Params(site="device", modalities=("ultrasound",), preserve=("age_years", "sex"))
        fit_model(cohort, folder / "combat.json", params=params)
        apply_model(folder / "combat.json", cohort, folder / "rows.csv", figure=IMAGES / "harmonise.svg")


if __name__ == "__main__":
    main()
