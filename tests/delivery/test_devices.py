"""The page on a transfer between devices: what it says, simulated data marked, nothing to show."""

from pathlib import Path

import numpy as np
import pandas as pd

from myoproof.core.evidence import evidence_frame
from myoproof.delivery.devices import Change, score_drawing, section, write

LINES = pd.DataFrame([{"device": "b/muscle", "measure": "echogenicity", "site": "", "intercept": 5.0, "slope": 1.25,
                       "slope_se": 0.05, "at_middle": 60.0, "at_middle_sd": 5.0, "scatter_sd": 4.0, "n": 480,
                       "people": 48}])  # fmt: skip


def change(*, simulated: bool = True) -> Change:
    rng = np.random.default_rng(0)
    scores = pd.DataFrame({"subject": [f"s{k}" for k in range(40)], "machine": ["a/muscle", "b/muscle"] * 20,
                           "ill": [k % 4 < 2 for k in range(40)]})  # fmt: skip
    scores["after"] = rng.normal(size=40) + scores["ill"]
    scores["before"] = scores["after"] - 2.0 * (scores["machine"] == "b/muscle")
    told = "simulated: 20 ill and 20 controls on all devices"
    rows = [{"metric": name, "value": value, "low": value - 0.1, "high": value + 0.1, "n": 40, "population": told}
            for name, value in (("AUC before", 0.62), ("AUC after", 0.81), ("AUC after less before", 0.19))]  # fmt: skip
    return Change(evidence_frame(rows), scores, LINES, "a/muscle", "travelling", ("A remark.",), simulated)


def test_the_page_says_before_and_after(tmp_path: Path) -> None:
    text = write(change(), tmp_path / "page.html").read_text()
    for part in ("0.62", "0.81", "A remark.", "b/muscle", "1.250", "Simulated data", "learnt by travelling"):
        assert part in text, part
    assert "Simulated data" not in write(change(simulated=False), tmp_path / "real.html").read_text()


def test_the_figure_tells_its_gap_in_words() -> None:
    drawing = score_drawing(change())
    assert drawing is not None
    scores = change().scores
    means = scores[~scores["ill"]].groupby("machine")["before"].mean()
    assert f"{abs(means['a/muscle'] - means['b/muscle']):.2f} SD" in drawing.alt
    assert "40 people" in drawing.alt
    empty = Change(
        evidence_frame([]),
        pd.DataFrame(columns=["subject", "machine", "ill", "before", "after"]),
        LINES,
        "a",
        "x",
    )
    assert score_drawing(empty) is None
    assert "not both on every device" in str(section(empty).statements[0])
