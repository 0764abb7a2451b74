"""The phenotype study on simulated cohorts: its rows, its refusals, the same bytes at any thread count."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.result import Result
from myoproof.core.study import Study, parse_study
from myoproof.errors import InvalidInput
from myoproof.phantoms.ultrasound import simulate
from myoproof.phantoms.ultrasound_model import UltrasoundParams
from myoproof.studies.phenotypes import run
from myoproof.studies.phenotypes_clusters import membership
from myoproof.workflow.templates import TEMPLATES

QUICK = {"resamples": 40, "null_replicates": 19, "splits": 4, "starts": 3, "null_starts": 2}


@cache
def simulated() -> tuple[Cohort, pd.DataFrame]:
    return simulate(rng=np.random.default_rng(4), params=UltrasoundParams(separation=4.0, n=220))


def study(**method: Any) -> Study:
    ready = parse_study(TEMPLATES["als-nmus-phenotypes"].text)
    return ready.model_copy(update={"method": {**ready.method, **QUICK, **method}})


@cache
def result(threads: int = 1) -> Result:
    return run(simulated()[0], study(), rng=np.random.default_rng(11), threads=threads)


def rows(analysis: str, found: Result | None = None) -> pd.DataFrame:
    estimates = (found or result()).estimates
    return estimates[estimates["analysis"] == analysis]


def test_same_bytes_at_one_and_two_threads() -> None:
    one, two = result(1), result(2)
    pd.testing.assert_frame_equal(one.estimates, two.estimates, check_exact=True)
    pd.testing.assert_frame_equal(one.predictions, two.predictions, check_exact=True)


def test_two_far_classes_are_claimed_and_every_null_is_named() -> None:
    decision = rows("decision").set_index("group")
    assert set(decision.index) == {"gaussian", "unimodal_factor", "claim"}
    assert decision.loc["claim", "value"] == 2
    assert decision.loc["claim", "flags"] == "subtypes"
    assert (decision.loc[["gaussian", "unimodal_factor"], "p"] == 1 / 20).all()
    nulls = rows("null")
    assert len(nulls) == 2 * 4
    silhouette = rows("silhouette").set_index("term")["value"]
    for row in nulls.itertuples():
        assert row.statistic == pytest.approx((silhouette_held(row.term) - row.value) / row.se)
    assert silhouette["k=2"] == silhouette.max()


def silhouette_held(term: str) -> float:
    """Observed silhouette that was held against the nulls, recovered from either null's row."""
    row = rows("null").query("term == @term").iloc[0]
    return float(row["value"] + row["statistic"] * row["se"])


def test_cluster_0_is_the_milder_and_the_axis_points_to_worse() -> None:
    truth = simulated()[1].set_index("subject")
    predictions = result().predictions
    cluster = predictions[(predictions["target"] == "cluster") & (predictions["rank"] == 1)].set_index(
        "subject"
    )
    severity = truth["severity"].reindex(cluster.index)
    assert (
        severity[cluster["candidate"] == "cluster-1"].mean()
        > severity[cluster["candidate"] == "cluster-0"].mean()
    )
    agreement = (cluster["candidate"] == "cluster-1") == truth["severe"].reindex(cluster.index)
    assert agreement.mean() > 0.9
    axis = predictions[predictions["target"] == "severity_axis"].set_index("subject")["value"]
    assert np.corrcoef(axis, truth["severity"].reindex(axis.index))[0, 1] > 0.9
    loadings = rows("axis").set_index("term")["value"]
    thin = loadings.index.str.startswith(("thickness", "nerve"))
    assert (loadings[thin] < 0).all()
    assert (loadings[~thin] > 0).all()


def test_features_missing_too_often_are_dropped_and_told() -> None:
    features = rows("feature").set_index("term")
    dropped = features[features["flags"] == "dropped_missing"]
    assert {name.split("/")[1] for name in dropped.index} == {"masseter"}
    assert (dropped["value"] > 0.2).all()
    assert (features.drop(dropped.index)["value"] <= 0.2).all()
    assert set(rows("profile")["term"]) == set(features.index) - set(dropped.index)


def test_description_rows() -> None:
    for name in ("silhouette", "stability", "prediction_strength"):
        assert rows(name)["term"].tolist() == ["k=2", "k=3", "k=4", "k=5"]
    stability = rows("stability")
    assert (stability["low"] <= stability["value"]).all()
    assert (stability["value"] <= stability["high"]).all()
    sizes = rows("cluster_size")
    assert sizes["term"].tolist() == ["cluster-0", "cluster-1"]
    assert sizes["value"].sum() == rows("flow")["value"].iloc[-1]
    profile = rows("profile").pivot(index="term", columns="group", values="value")
    weights = sizes.set_index("term")["value"]
    np.testing.assert_allclose(profile @ weights, 0, atol=1e-8)


def test_membership_shares_sum_to_one() -> None:
    predictions = result().predictions
    cluster = predictions[predictions["target"] == "cluster"]
    totals = cluster.groupby("subject")["value"].sum()
    np.testing.assert_allclose(totals, 1.0)
    assert cluster.loc[cluster["rank"] == 1, "value"].mean() > 0.9


def test_outcome_rows_are_adjusted_unadjusted_and_beside_the_axis() -> None:
    outcome = rows("outcome")
    assert set(outcome["group"]) == {"adjusted", "unadjusted", "axis_adjusted", "complete_cases"}
    adjusted = outcome[outcome["group"] == "adjusted"].set_index("term")
    assert "cluster-1 - cluster-0" in adjusted.index
    assert {"age_years", "body_mass_index", "duration_months", "onset_site: bulbar"} <= set(adjusted.index)
    assert adjusted.loc["cluster-1 - cluster-0", "value"] < 0
    assert (adjusted["low"] < adjusted["value"]).all()
    assert (adjusted["value"] < adjusted["high"]).all()
    assert "severity_axis" in set(outcome.loc[outcome["group"] == "axis_adjusted", "term"])
    complete = outcome[outcome["group"] == "complete_cases"]
    assert len(complete) == 1
    assert complete["n_subjects"].iloc[0] < adjusted["n_subjects"].max()


def test_correlates_worsen_along_the_axis() -> None:
    correlation = rows("correlation")
    assert set(correlation["group"]) == {"severity_axis", "cluster"}
    assert (correlation["value"] < 0).all()
    assert correlation["term"].str.contains("manual_muscle_testing").any()
    assert correlation["term"].str.contains("cmap_amplitude").sum() == 6


@pytest.mark.parametrize(("kind", "count"), [("centre", 6), ("device", 3)])
def test_each_centre_and_device_is_left_out(kind: str, count: int) -> None:
    left = rows(f"leave_one_{kind}_out")
    agreement, outcome = left[left["term"] == "k=2"], left[left["term"] == "outcome"]
    assert len(agreement) == len(outcome) == count
    assert (agreement["value"] > 0.7).all()
    assert outcome["value"].notna().all()
    assert (outcome["n_subjects"] < 220).all()


def test_a_continuum_is_called_a_continuum() -> None:
    params = UltrasoundParams(preset="continuum", shape="lognormal", n=220)
    cohort = simulate(rng=np.random.default_rng(21), params=params)[0]
    found = run(cohort, study(), rng=np.random.default_rng(1))
    decision = rows("decision", found).set_index("group")
    assert decision.loc["claim", "value"] == 0
    assert decision.loc["claim", "flags"] == "severity_continuum"
    assert decision.loc["unimodal_factor", "p"] > 0.05
    assert decision.loc["gaussian", "p"] == 1 / 20, (
        "the Gaussian alone would call these skewed patients subtypes"
    )
    assert len(rows("axis", found)) == 30
    assert len(rows("cluster_size", found)) == 2, "clusters are described all the same"


def test_inputs_are_unchanged() -> None:
    cohort = simulated()[0]
    before = cohort.measurements.copy()
    run(cohort, study(), rng=np.random.default_rng(2))
    pd.testing.assert_frame_equal(cohort.measurements, before)


def test_an_outcome_that_is_also_a_feature_is_refused() -> None:
    asked = study()
    outcome = asked.features[0].model_copy(update={"site": "biceps_brachii"})
    with pytest.raises(InvalidInput, match="also a feature"):
        run(simulated()[0], asked.model_copy(update={"outcome": outcome}), rng=np.random.default_rng(1))


def test_a_missing_feature_is_refused_with_the_near_miss() -> None:
    asked = study()
    feature = asked.features[0].model_copy(update={"site": ["biceps_brachi"]})
    with pytest.raises(InvalidInput, match="biceps_brachii"):
        run(simulated()[0], asked.model_copy(update={"features": [feature]}), rng=np.random.default_rng(1))


def test_fewer_subjects_than_clusters_are_refused() -> None:
    cohort = simulated()[0]
    few = list(cohort.subjects["subject"][:8])
    small = make_cohort(
        *(
            getattr(cohort, name)[getattr(cohort, name)["subject"].isin(few)]
            for name in ("subjects", "acquisitions", "measurements", "events", "covariates")
        )
    )
    with pytest.raises(InvalidInput, match="too few"):
        run(small, study(), rng=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"resample": 10}, "did you mean 'resamples'"),
        ({"k_min": 4, "k_max": 3}, "k_max"),
        ({"alpha": 2.0}, "alpha"),
    ],
)
def test_a_wrong_parameter_is_refused(method: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        run(simulated()[0], study(**method), rng=np.random.default_rng(1))


def test_membership_follows_renamed_clusters() -> None:
    reference = np.array([0, 0, 1, 1])
    labels = np.array([[1, 1, 0, 0], [0, 0, 1, -1], [1, 0, 0, 0]], dtype=np.int8)
    shares = membership(labels, reference)
    np.testing.assert_allclose(shares[:, 0], [1.0, 2 / 3, 0.0, 0.0])
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
