"""Draw docs/img/agreement-limits.svg: the differences of simulated readers."""

from pathlib import Path

import numpy as np

from myoproof.core.study import parse_study
from myoproof.delivery.agreement_study import section
from myoproof.evidence.agreement_study import run
from myoproof.phantoms.readers import cohort
from myoproof.workflow.templates import EXAMPLE_SEED, TEMPLATES

OUT = Path(__file__).resolve().parents[1] / "docs" / "img" / "agreement-limits.svg"


def main() -> None:
    """Write the picture."""
    study = parse_study(TEMPLATES["reader-agreement"].text)
    found = run(cohort(rng=np.random.default_rng(EXAMPLE_SEED)), study, rng=np.random.default_rng(1))
    drawing = next(d for d in section(found, key="agreement").drawings if d.key == "agreement-limits")
    OUT.write_text(drawing.svg + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
