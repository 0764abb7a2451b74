"""Draw the pictures of the page on trial design, from the simulated pilot of its template.

Run ``python -m benchmarks.picture_design``: writes docs/img/design-sizes.svg and design-curve.svg.
"""

from pathlib import Path

import numpy as np

from myoproof.core.study import parse_study
from myoproof.delivery.report import Report, compose
from myoproof.studies.design import run
from myoproof.workflow.templates import simulate, template

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "img"


def main() -> None:
    """Write the pictures."""
    study = parse_study(template("als-mri-design").text)
    result = run(simulate("als-mri-design"), study, rng=np.random.default_rng(study.seed))
    for drawing in compose(Report("Design", True, [result]))[0].drawings:
        name = drawing.key.removeprefix("als-mri-")
        if name in ("design-sizes", "design-curve"):
            (IMAGES / f"{name}.svg").write_text(drawing.svg + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
