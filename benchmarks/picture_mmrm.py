"""Pictures of the simulated trial for the docs.

Run ``python -m benchmarks.picture_mmrm``: writes docs/img/trial-means.svg and others.
"""

import shutil
import tempfile
from pathlib import Path

from myoproof.workflow.templates import write_example
from myoproof.workflow.verbs import deliver, run_study

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "img"
SHOWN = ("means", "contrasts", "subjects")


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = write_example("als-trial-mmrm", folder / "trial")
        run_study(study, folder / "trial" / "cohort", folder / "result")
        deliver([folder / "result"], folder / "report")
        for part in SHOWN:
            drawn = folder / "report" / "figures" / f"als-trial-mmrm-{part}.svg"
            shutil.copyfile(drawn, IMAGES / f"trial-{part}.svg")


if __name__ == "__main__":
    main()
