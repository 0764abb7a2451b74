"""Hold the joint model against R JM's published answers and simulated truth: bias, coverage, type I error.

Run ``python -m benchmarks.calibrate_joint``. Seeds and numbers of data sets were fixed before the first run.
The real data (aids, pbc2) are read from MYOPROOF_DATA; without them their rows are left out.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import evidence_table
from benchmarks.calibrate_design import judged, share
from benchmarks.joint_data import aids, pbc2, reachable, simulated
from myoproof.evidence.verdicts import Range
from myoproof.numerics.joint import fit_joint
from myoproof.numerics.joint_types import JointForm

Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "joint.csv"
SEED = 72_000
ABOUT = "joint@1"
SETS, SUBJECTS = 60, 200
FORM = JointForm(n_knots=1)
PUBLISHED = {
    "aids": (aids, -0.28750, 0.03587, -4328.2613),
    "pbc2": (pbc2, 1.24339, 0.08675, -1966.5291),
}
"""R JM 1.5-2, piecewise-PH-aGH: association, its standard error, log-likelihood."""


def published() -> Iterator[Row]:
    """The reference answers, and what denser quadrature makes of them."""
    for name, (data, association, se, likelihood) in PUBLISHED.items():
        measured, survival, form = data()
        base = {"population": f"real data, {name} (R JM)", "reference": "R JM 1.5-2, piecewise-PH-aGH"}
        base["n"] = survival.times.size
        as_jm = replace(form, knots_from="follow_up", recentred=0)
        ways = (
            ("as R JM", as_jm),
            ("nodes recentred", replace(as_jm, recentred=2)),
            ("9 nodes recentred, 15 Kronrod nodes", replace(as_jm, hermite=9, kronrod=15, recentred=1)),
        )
        for way, one in ways:
            fit = fit_joint(measured, survival, one)
            found = fit.association["value"]
            gap = {"metric": f"association over the reference, {way}", "value": found.value / association}
            yield {**judged(gap, Range(0.99, 1.01)), **base}
            gap = {"metric": f"standard error over the reference, {way}", "value": found.se / se}
            yield {**judged(gap, Range(0.95, 1.05)), **base}
            gap = {
                "metric": f"log-likelihood less the reference, {way}",
                "value": fit.log_likelihood - likelihood,
            }
            yield {**judged(gap, Range(-0.5, 0.5)), **base}


def recovered(cell: int, alpha: float, *, late: bool) -> Iterator[Row]:
    """Bias and coverage of association and slope; without an association, its type I error."""
    kept, naive, failed = [], [], 0
    for place in range(SETS):
        fit = fit_joint(*simulated([SEED, cell, place], SUBJECTS, alpha=alpha, late=late), FORM)
        if fit.convergence != "converged":
            failed += 1
            continue
        kept.append((fit.association["value"], fit.longitudinal["time"]))
        naive.append(float(fit.naive.fixed[1]))
    told = f"simulated, {SUBJECTS} subjects{' before late entry' if late else ''}, association {alpha:g}"
    base = {"population": told, "reference": "simulated truth"}
    yield {"metric": "share of fits that converged", **share(np.arange(SETS) >= failed), **base}
    for which, (name, truth) in enumerate((("association", alpha), ("slope", -0.8))):
        values = np.array([pair[which].value for pair in kept])
        inside = np.array([pair[which].low <= truth <= pair[which].high for pair in kept])
        half = 1.96 * values.std(ddof=1) / math.sqrt(values.size)
        ends = {"low": values.mean() - truth - half, "high": values.mean() - truth + half, "level": 0.95}
        yield {"metric": f"bias, {name}", "value": values.mean() - truth, **ends, "n": values.size, **base}
        yield {
            "metric": f"coverage of the 95 % interval, {name}",
            **judged(share(inside), Range(0.93, 0.97)),
            **base,
        }
        if name == "association" and alpha == 0:
            found = np.array([pair[0].p < 0.05 for pair in kept])
            yield {"metric": "type I error, association", **judged(share(found), Range(0.04, 0.06)), **base}
    alone = np.array(naive)
    yield {
        "metric": "bias, slope of the mixed model alone",
        "value": alone.mean() + 0.8,
        "n": alone.size,
        **base,
    }


def rows() -> Iterator[Row]:
    """All cells."""
    if reachable():
        yield from published()
    yield from recovered(0, -0.5, late=False)
    yield from recovered(1, -0.5, late=True)
    yield from recovered(2, 0.0, late=False)


def main() -> None:
    """Compute, print and write."""
    evidence_table.write(rows, about=ABOUT, table=TABLE)


if __name__ == "__main__":
    main()
