"""Agreement of two sets of rows: the join, what it refuses, and what must hold for any rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.core.table import from_rows
from myoproof.errors import InvalidInput
from myoproof.evidence.agreement import METRICS, check

SITES = ("vastus_lateralis", "gracilis", "sartorius")


def measured(
    *, n: int = 8, method: str = "ours", bias: float = 0.0, noise: float = 0.0, seed: int = 0, **more: object
) -> pd.DataFrame:
    """Fat fractions of three muscles on two sides; truth depends on the seed alone."""
    truth = np.random.default_rng(seed).uniform(0.1, 0.4, (n, 3, 2))
    error = np.random.default_rng(seed + 1).normal(0, 1, (n, 3, 2)) * noise
    rows = [
        {
            "subject": f"s{i:03d}",
            "session": "m00",
            "modality": "dixon",
            "measure": "fat_fraction",
            "site": site,
            "side": side,
            "method": method,
            "value": truth[i, j, k] + bias + error[i, j, k],
            **more,
        }
        for i in range(n)
        for j, site in enumerate(SITES)
        for k, side in enumerate(("left", "right"))
    ]
    return from_rows(rows)


def told(found: pd.DataFrame, metric: str, site: str = "all sites") -> pd.Series:
    row = found[(found["metric"] == metric) & found["population"].str.contains(site)]
    assert len(row) == 1, metric
    return row.iloc[0]


def test_bias_noise_and_counts_are_recovered() -> None:
    found = check(measured(n=60, bias=0.02, noise=0.01), measured(n=60, method="truth"))
    bias = told(found, "bias")
    assert bias["value"] == pytest.approx(0.02, abs=0.002)
    assert bias["low"] < bias["value"] < bias["high"]
    assert told(found, "sd_of_differences")["value"] == pytest.approx(0.01, rel=0.15)
    assert told(found, "root_mean_square_error")["value"] == pytest.approx(np.hypot(0.02, 0.01), rel=0.1)
    assert bias["n"] == 60
    assert "360 rows of 60 subjects" in bias["population"]
    assert "left and right" in bias["population"]
    assert set(found["metric"]) <= set(METRICS)
    assert (found["about"] == "ours@1").all()
    assert (found["reference"] == "method truth").all()


def test_every_site_has_its_rows_and_the_worst_is_named() -> None:
    rows = measured(noise=0.001)
    worse = rows["site"] == "gracilis"
    rows = rows.assign(value=rows["value"] + np.where(worse, 0.05, 0.0))
    found = check(rows, measured(method="truth"))
    assert told(found, "bias", "gracilis")["value"] == pytest.approx(0.05, abs=0.002)
    worst = found[found["metric"] == "largest_site_bias"].iloc[0]
    assert "gracilis" in worst["population"]
    assert worst["value"] == pytest.approx(0.05, abs=0.002)
    whole = check(rows, measured(method="truth"), by_site=False)
    assert (whole["metric"] == "bias").sum() == 1


def test_rows_against_themselves_agree_perfectly() -> None:
    rows = measured()
    found = check(rows, rows)
    assert told(found, "bias")["value"] == 0.0
    assert told(found, "icc_a1")["value"] == pytest.approx(1.0)
    assert told(found, "root_mean_square_error")["value"] == 0.0
    assert (found["reference"] == "method ours again").all()


@given(st.floats(-0.05, 0.05), st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_a_shift_changes_the_bias_only(shift: float, seed: int) -> None:
    reference = measured(method="truth", seed=seed)
    rows = measured(noise=0.01, seed=seed)
    before, after = (
        check(frame, reference, by_site=False) for frame in (rows, rows.assign(value=rows["value"] + shift))
    )
    moved = told(after, "bias")["value"] - told(before, "bias")["value"]
    assert moved == pytest.approx(shift, abs=1e-12)
    spread = [told(found, "sd_of_differences")["value"] for found in (before, after)]
    assert spread[0] == pytest.approx(spread[1], rel=1e-6)


def test_the_order_of_rows_is_irrelevant() -> None:
    rows, reference = measured(noise=0.01), measured(method="truth")
    shuffled = check(rows.sample(frac=1, random_state=1), reference.sample(frac=1, random_state=2))
    pd.testing.assert_frame_equal(shuffled, check(rows, reference), rtol=1e-9)


def test_coverage_counts_subjects() -> None:
    rows = measured(n=40, noise=0.01)
    rows = rows.assign(low=rows["value"] - 0.0196, high=rows["value"] + 0.0196, level=0.95)
    covered = told(check(rows, measured(n=40, method="truth")), "interval_coverage")
    assert covered["value"] == pytest.approx(0.95, abs=0.03)
    assert covered["low"] < 0.95 < covered["high"]
    assert covered["n"] == 40


def test_unmatched_and_absent_rows_are_counted() -> None:
    rows = measured().iloc[2:].reset_index(drop=True)
    rows.loc[0, ["value", "absent"]] = [np.nan, "not_measured"]
    found = check(rows, measured(method="truth").iloc[:-1])
    counts = found[found["population"] == "all rows"].set_index("metric")["value"].to_dict()
    assert counts == {"unmatched_rows": 1.0, "unmatched_reference_rows": 2.0, "absent_pairs": 1.0}


def test_each_method_is_held_against_the_reference_by_itself() -> None:
    both = pd.concat([measured(method="a", bias=0.01), measured(method="b", bias=0.03)])
    lonely = measured(method="c").assign(session="m12")
    found = check(pd.concat([both, lonely]), measured(method="truth", rater="drawn"), across="method, rater")
    biases = found[found["metric"] == "bias"]
    whole = biases[biases["population"].str.contains("all sites")].set_index("about")["value"]
    assert whole.round(6).to_dict() == {"a@1": 0.01, "b@1": 0.03}
    alone = found[found["about"] == "c@1"]
    assert alone[["metric", "value", "reference"]].to_numpy().tolist() == [
        ["unmatched_rows", 48.0, "no reference row"]
    ]


def test_sides_together_and_slices_are_not_mixed_with_sides_and_wholes() -> None:
    row = {"session": "m00", "modality": "dixon", "site": "gracilis"}
    rows = [
        {**row, "subject": s, "side": side, "measure": "cross_sectional_area", "at": at, "value": v}
        for s, v in (("a", 400.0), ("b", 500.0), ("c", 650.0))
        for side in ("left", "right", "both")
        for at in ("slice:3", "slice:4", "maximum")
    ]
    found = check(from_rows(rows).assign(method="x"), from_rows(rows).assign(method="y"))
    populations = set(found.loc[found["metric"] == "bias", "population"].str.partition(";")[0])
    assert populations == {
        f"cross_sectional_area [mm2], {at}, {side}"
        for at in ("slice", "maximum")
        for side in ("left and right", "both")
    }


def test_a_single_subject_has_no_intervals() -> None:
    found = check(measured(n=1, bias=0.01), measured(n=1, method="truth"), by_site=False)
    assert told(found, "bias")["value"] == pytest.approx(0.01)
    assert found["low"].isna().all()


def test_simulated_rows_are_called_simulated() -> None:
    found = check(measured(flags="simulated"), measured(method="truth"))
    assert found["population"].str.startswith("simulated: ").all()


def test_criteria_give_verdicts() -> None:
    found = check(
        measured(n=30, bias=0.02, noise=0.002),
        measured(n=30, method="truth"),
        by_site=False,
        accept={"bias": (-0.005, 0.005), "icc_a1": (0.9, 1.0)},
    )
    assert told(found, "bias")["verdict"] == "fail"
    assert told(found, "icc_a1")["verdict"] == "pass"
    assert told(found, "bias")["criterion"] == "at least -0.005 and at most 0.005"
    assert told(found, "sd_of_differences")["verdict"] == ""


def test_nothing_that_joins_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidInput, match=r"no row meets.*session is 'm00' here and 'm12' there"):
        check(measured(), measured(method="truth").assign(session="m12"))
    with pytest.raises(InvalidInput, match="rater"):
        check(measured(), measured(rater="drawn"), across="method")


def test_units_that_differ_are_refused() -> None:
    with pytest.raises(InvalidInput, match="wrong unit"):
        check(measured(), measured(method="truth").assign(unit="%"))
    volume = measured().assign(measure="volume", unit="mL")
    with pytest.raises(InvalidInput, match="units differ"):
        check(measured(), volume, across="measure")


def test_unknown_words_are_refused_with_the_near_miss() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'rater'"):
        check(measured(), measured(), across="ratter")
    with pytest.raises(InvalidInput, match="no key column"):
        check(measured(), measured(), across="subject")
    with pytest.raises(InvalidInput, match="did you mean 'bias'"):
        check(measured(), measured(), accept={"bais": (0.0, 1.0)})


def test_inputs_stay_as_they_were() -> None:
    rows, reference = measured(noise=0.01), measured(method="truth")
    copies = rows.copy(), reference.copy()
    check(rows, reference)
    pd.testing.assert_frame_equal(rows, copies[0])
    pd.testing.assert_frame_equal(reference, copies[1])
