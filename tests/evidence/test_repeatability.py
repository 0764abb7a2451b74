"""Repeatability: known spreads are found, intervals cover them, and what was measured once is refused."""

import numpy as np
import pandas as pd
import pytest

from myoproof.errors import InvalidInput
from myoproof.evidence import repeatability


def scans(
    sd: float, n: int, *, seed: int = 0, repeats: int = 2, sides=("left",), bias: float = 0.0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for subject in range(n):
        for site, size in (("soleus", 300.0), ("gracilis", 60.0)):
            for side in sides:
                true = size * (1 + 0.2 * rng.normal())
                rows += [
                    {"subject": f"s{subject}", "run": str(run), "site": site, "side": side, "measure": "volume",
                     "method": "dixon", "value": true + sd * rng.normal() + bias * run}
                    for run in range(repeats)
                ]  # fmt: skip
    return pd.DataFrame(rows)


def found(evidence: pd.DataFrame, metric: str, site: str) -> pd.Series:
    rows = evidence[(evidence["metric"] == metric) & evidence["population"].str.contains(f", {site};")]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_known_error_is_found_and_the_change_is_its_multiple() -> None:
    evidence = repeatability.check(scans(4.0, 200))
    sem = found(evidence, "standard_error_of_measurement", "soleus")
    assert sem["low"] <= 4.0 <= sem["high"]
    assert sem["value"] == pytest.approx(4.0, rel=0.15)
    change = found(evidence, "minimal_detectable_change_95", "soleus")
    assert change["value"] == pytest.approx(1.96 * np.sqrt(2) * sem["value"])
    assert found(evidence, "minimal_detectable_change_95_relative", "soleus")["value"] == pytest.approx(
        change["value"] / 300, rel=0.05
    )
    assert found(evidence, "icc_a1", "soleus")["value"] == pytest.approx(60**2 / (60**2 + 4**2), abs=0.02)
    assert change["n"] == 200
    assert change["about"] == "dixon@1"
    assert "all sites" in " ".join(evidence["population"])


@pytest.mark.parametrize("sides", [("left",), ("left", "right")])
def test_intervals_cover_the_true_error(sides) -> None:
    """95 % intervals of 40 studies of 15 subjects: fewer than 34 hits have a chance below 0.2 %."""
    inside = 0
    for seed in range(40):
        sem = found(
            repeatability.check(scans(4.0, 15, seed=seed, sides=sides)),
            "standard_error_of_measurement",
            "gracilis",
        )
        inside += sem["low"] <= 4.0 <= sem["high"]
    assert inside >= 34


def test_three_scans_count_and_a_drift_is_told() -> None:
    evidence = repeatability.check(scans(4.0, 100, repeats=3))
    assert found(evidence, "standard_error_of_measurement", "soleus")["value"] == pytest.approx(4.0, rel=0.15)
    assert set(evidence["metric"]) == set(repeatability.METRICS) - {"icc_a1", "bias"}
    drift = repeatability.check(scans(1.0, 50, bias=5.0))
    bias = found(drift, "bias", "soleus")
    assert bias["value"] == pytest.approx(5.0, abs=0.5)
    assert bias["low"] < bias["value"] < bias["high"]


def test_repeats_may_lie_in_a_second_table_and_differ_in_named_columns() -> None:
    both = scans(4.0, 20)
    first, second = (both[both["run"] == run].assign(run="") for run in ("0", "1"))
    apart = repeatability.check(first, second)
    pd.testing.assert_frame_equal(apart, repeatability.check(both))
    raters = both.assign(rater=both["run"], run="1")
    with pytest.raises(InvalidInput, match="nothing was measured twice"):
        repeatability.check(raters)
    assert len(repeatability.check(raters, across="rater, run")) == len(apart)


def test_verdicts_and_unknown_names() -> None:
    rows = scans(4.0, 100)
    judged = repeatability.check(rows, accept={"icc_a1": (0.9, 1.0)}, by_site=False)
    assert judged.set_index("metric")["verdict"]["icc_a1"] == "pass"
    assert len(judged) == 5
    with pytest.raises(InvalidInput, match="no metric"):
        repeatability.check(rows, accept={"icc": (0, 1)})
    with pytest.raises(InvalidInput, match="tells no repeat"):
        repeatability.check(rows, across="site")


def test_simulated_rows_are_called_simulated() -> None:
    evidence = repeatability.check(scans(4.0, 5).assign(flags="simulated"))
    assert evidence["population"].str.startswith("simulated: ").all()
