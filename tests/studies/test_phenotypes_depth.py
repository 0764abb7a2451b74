"""Other looks at the number of groups, the axis beside the clusters, large cohorts, and new patients."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.studies.test_phenotypes import result, rows, simulated, study

from myoproof.core.cohort import Cohort
from myoproof.core.result import Result, load_result, save_result
from myoproof.errors import InvalidInput
from myoproof.numerics.consensus import ambiguous_share, co_association
from myoproof.numerics.gap import gap_statistic
from myoproof.phantoms.ultrasound import simulate
from myoproof.phantoms.ultrasound_model import UltrasoundParams
from myoproof.studies.phenotypes import run
from myoproof.studies.phenotypes_assign import assign

BLOBS = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])


def blobs(n: int, k: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return BLOBS[np.arange(n) % k] + rng.standard_normal((n, 2))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_gap_finds_one_two_and_three_groups(k: int) -> None:
    found = gap_statistic(blobs(150, k), 5, rng=np.random.default_rng(3))
    assert found.n_clusters == k
    assert found.gap.shape == found.se.shape == (5,)


def test_the_gap_of_a_straight_line_of_points_by_hand() -> None:
    """One cluster of a centred line: log of the summed squares, references uniform on the same range."""
    x = np.linspace(-1, 1, 200)[:, np.newaxis]
    found = gap_statistic(x, 2, rng=np.random.default_rng(1), references=50)
    assert found.gap[0] == pytest.approx(0.0, abs=0.02)
    with pytest.raises(InvalidInput, match="3 clusters were asked of 3 points"):
        gap_statistic(np.zeros((3, 1)), 3, rng=np.random.default_rng(1))


def test_consensus_counts_pairs_that_were_both_drawn() -> None:
    labels = np.array([[0, 0, 1, 1], [0, 1, 1, -1], [1, 1, 0, 0]], dtype=np.int8)
    shares = co_association(labels)
    assert shares[0, 1] == pytest.approx(2 / 3)
    assert shares[2, 3] == 1.0
    assert shares[1, 2] == pytest.approx(1 / 3)
    assert ambiguous_share(labels) == pytest.approx(2 / 6)
    assert np.isnan(ambiguous_share(np.array([[0, -1], [-1, 0]], dtype=np.int8)))


def test_far_classes_look_like_two_by_every_index() -> None:
    gap, mixture = rows("gap").set_index("term"), rows("mixture").set_index("term")
    assert (mixture["flags"] == "chosen").sum() == (gap["flags"] == "chosen").sum() == 1
    assert mixture.loc["k=2", "value"] < mixture.loc["k=1", "value"]
    consensus = rows("consensus").set_index(["group", "term"])
    assert consensus.loc[("ambiguous_pairs", "k=2"), "value"] < 0.05
    assert (
        consensus.loc[("ambiguous_pairs", "k=2"), "value"]
        < consensus.loc[("ambiguous_pairs", "k=4"), "value"]
    )
    assert set(rows("beyond_severity")["group"]) == {"silhouette", "agreement_with_clusters"}


def test_with_severity_taken_out_little_of_severity_classes_is_left() -> None:
    left = rows("beyond_severity").set_index(["group", "term"])
    assert left.loc[("agreement_with_clusters", "k=2"), "value"] < 0.3
    assert left.loc[("silhouette", "k=2"), "p"] > 0.05


def test_the_axis_is_offered_where_it_tells_as_much() -> None:
    told = rows("axis_or_clusters").set_index("term")
    decision = told.loc["decision"]
    assert decision["value"] == pytest.approx(
        told.loc["severity_axis", "value"] - told.loc["clusters", "value"]
    )
    assert (decision["flags"] == "axis_offered") == (decision["value"] >= -decision["se"])
    assert told.loc["severity_axis", "value"] > told.loc["covariates", "value"]


def new_patients(**params: object) -> Cohort:
    return simulate(rng=np.random.default_rng(77), params=UltrasoundParams(separation=4.0, n=120, **params))[
        0
    ]


def test_new_patients_join_the_classes_they_come_from() -> None:
    cohort, truth = simulate(rng=np.random.default_rng(77), params=UltrasoundParams(separation=4.0, n=120))
    found = assign(result(), cohort)
    first = found[(found["target"] == "cluster") & (found["rank"] == 1)].set_index("subject")
    severe = truth.set_index("subject")["severe"].reindex(first.index)
    assert ((first["candidate"] == "cluster-1") == severe).mean() > 0.95
    assert (first["support"] == "inside").mean() > 0.85
    axis = found[found["target"] == "severity_axis"].set_index("subject")["value"]
    assert axis[severe[severe].index].mean() > axis[severe[~severe].index].mean() + 1


def test_assigning_the_cohort_itself_gives_its_own_axis() -> None:
    cohort = simulated()[0]
    found = assign(result(), cohort)
    again = found[found["target"] == "severity_axis"].set_index("subject")["value"].dropna()
    own = result().predictions
    axis = own[own["target"] == "severity_axis"].set_index("subject")["value"].reindex(again.index)
    assert np.corrcoef(axis, again)[0, 1] > 0.999
    assert np.abs(axis - again).median() < 0.02


def test_strangers_are_not_assigned() -> None:
    cohort = new_patients()
    scans = cohort.acquisitions
    other = replace(cohort, acquisitions=scans.assign(device="device-z"))
    found = assign(result(), other)
    assert (found["support"] == "outside").all()
    assert set(found["absent"]) == {"unknown_device"}
    table = cohort.measurements
    bright = table.assign(
        value=np.where(table["measure"] == "echogenicity", table["value"] + 200, table["value"])
    )
    found = assign(result(), replace(cohort, measurements=bright))
    assert set(found["absent"]) <= {"out_of_domain", "insufficient_data"}
    assert (found["absent"] == "out_of_domain").mean() > 0.9
    few = table.assign(
        value=table["value"].where(table["measure"] != "echogenicity").where(table["measure"] != "thickness")
    )
    few = few.assign(
        absent=np.where(few["value"].isna() & (few["absent"] == ""), "not_measured", few["absent"])
    )
    found = assign(result(), replace(cohort, measurements=few))
    assert set(found["absent"]) == {"insufficient_data"}


def test_a_result_keeps_its_model_and_another_kind_has_none(tmp_path: Path) -> None:
    save_result(result(), tmp_path)
    kept = load_result(tmp_path)
    pd.testing.assert_frame_equal(assign(kept, new_patients()), assign(result(), new_patients()))
    with pytest.raises(InvalidInput, match="holds no clusters"):
        assign(Result(kept.study, kept.estimates, kept.predictions), new_patients())


def test_a_large_cohort_is_judged_on_a_sample_and_described_whole() -> None:
    large = simulate(rng=np.random.default_rng(5), params=UltrasoundParams(separation=4.0, n=260))[0]
    found = run(large, study(sample=120), rng=np.random.default_rng(1))
    estimates = found.estimates
    assert estimates.query("analysis == 'sample'")["value"].tolist() == [120]
    assert (estimates.query("analysis == 'null'")["n_subjects"] == 120).all()
    sizes = estimates.query("analysis == 'cluster_size'")["value"].sum()
    members = found.predictions.query("target == 'cluster' and rank == 1")
    assert len(members) == sizes > 240
    assert members["value"].notna().all()
    assert members["value"].mean() > 0.9
