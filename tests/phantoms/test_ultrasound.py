"""The ultrasound cohort: lawful rows, no truth in them, the published size, and a continuum without classes."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from myoproof.core.cohort import feature_matrix, feature_rows, subject_columns
from myoproof.core.study import Feature
from myoproof.core.table import validate, write_table
from myoproof.errors import InvalidInput
from myoproof.phantoms import ultrasound
from myoproof.phantoms.ultrasound import ANALYSED, SHAPES, UltrasoundParams, draw, simulate, tables
from myoproof.phantoms.ultrasound_model import feature_sites
from myoproof.vocabulary.lookup import words

TABLES = ("subjects", "acquisitions", "measurements", "events", "covariates")
CONTINUUM = [UltrasoundParams(preset="continuum", shape=shape) for shape in SHAPES]
PRESETS = [UltrasoundParams(), *CONTINUUM]


@pytest.fixture(scope="module")
def simulated() -> tuple[object, pd.DataFrame]:
    return simulate(rng=np.random.default_rng(5))


def test_published_size(simulated: tuple[ultrasound.Draw, pd.DataFrame]) -> None:
    """Wang 2026: 454 patients, 288 mild and 166 severe."""
    cohort, truth = simulated
    assert len(cohort.subjects) == 454
    assert truth["severe"].sum() == 166
    assert (~truth["severe"]).sum() == 288


def test_rows_are_lawful(simulated: tuple[ultrasound.Draw, pd.DataFrame]) -> None:
    rows = simulated[0].measurements
    validate(rows)
    assert set(rows["site"]) <= set(words("sites"))
    assert set(rows["flags"]) == {"simulated"}
    assert set(rows.loc[rows["value"].isna(), "absent"]) == {"not_measured"}


@pytest.mark.parametrize("params", PRESETS, ids=lambda p: f"{p.preset}-{p.shape}")
def test_truth_is_apart(params: UltrasoundParams) -> None:
    cohort, truth = simulate(rng=np.random.default_rng(1), params=params)
    for name in TABLES:
        assert not {"severity", "severe"} & set(getattr(cohort, name).columns)
    assert ("severe" in truth) == (params.preset == "two-classes")
    assert list(truth["subject"]) == list(cohort.subjects["subject"])
    if params.preset == "continuum":
        assert not draw(rng=np.random.default_rng(1), params=params).severe.any()


def test_rows_are_the_arrays() -> None:
    """The fast path and the tables show one and the same cohort, missing values included."""
    drawn = draw(80, rng=np.random.default_rng(2))
    cohort = tables(drawn)
    measures, sites = feature_sites()
    wanted = [Feature(measure=m, site=s, side="mean") for m, s in zip(measures, sites, strict=True)]
    matrix = feature_matrix(cohort, wanted)
    assert tuple(matrix.columns) == drawn.feature_names
    np.testing.assert_allclose(matrix.to_numpy(), drawn.features, rtol=0, atol=1e-9)
    score = feature_rows(cohort, Feature(measure="alsfrs_r"))["value"]
    np.testing.assert_array_equal(score, drawn.alsfrs_r)
    known = subject_columns(
        cohort, ["age_years", "body_mass_index", "onset_day", "sex", "onset_site", "centre"]
    )
    columns = dict(zip(drawn.covariate_names, drawn.covariates.T, strict=True))
    for name in ("age_years", "body_mass_index", "onset_day"):
        np.testing.assert_array_equal(known[name], columns[name])
    np.testing.assert_array_equal(known["sex"] == "male", columns["male"] == 1)
    np.testing.assert_array_equal(known["onset_site"] == "limb", columns["limb"] == 1)
    np.testing.assert_array_equal(known["centre"] == "centre-3", columns["centre-3"] == 1)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    def text(seed: int) -> bytes:
        cohort = ultrasound.cohort(rng=np.random.default_rng(seed), params=UltrasoundParams(n=40))
        for name in TABLES:
            write_table(getattr(cohort, name), tmp_path / f"{name}.csv")
        return b"".join((tmp_path / f"{name}.csv").read_bytes() for name in TABLES)

    assert text(7) == text(7)
    assert text(7) != text(8)


@given(
    n=st.integers(2, 60),
    seed=st.integers(0, 2**32),
    params=st.sampled_from([*PRESETS, UltrasoundParams(separation=0.0), UltrasoundParams(separation=6.0)]),
)
@settings(max_examples=40, deadline=None)
def test_values_stay_in_their_ranges(n: int, seed: int, params: UltrasoundParams) -> None:
    drawn = draw(n, rng=np.random.default_rng(seed), params=params)
    assert drawn.sides.shape == (n, 32, 2)
    assert np.isfinite(drawn.sides).all()
    assert drawn.sides.min() > 0
    assert drawn.sides.max() <= 255
    for score, top in ((drawn.alsfrs_r, 48), (drawn.manual_muscle_testing, 60)):
        assert ((score >= 0) & (score <= top)).all()
        np.testing.assert_array_equal(score, np.round(score))
    assert (drawn.cmap_mv >= 0).all()
    assert (np.isnan(drawn.features) == drawn.missing).all()
    assert drawn.covariates.shape == (n, len(drawn.covariate_names))


@pytest.mark.parametrize("params", [UltrasoundParams(), CONTINUUM[0]], ids=["two-classes", "continuum"])
def test_features_follow_severity_in_the_stated_direction(params: UltrasoundParams) -> None:
    drawn = draw(20_000, rng=np.random.default_rng(3), params=params)
    together = np.column_stack(
        [drawn.complete_features, drawn.alsfrs_r, drawn.manual_muscle_testing, drawn.cmap_mv]
    )
    link = np.corrcoef(drawn.severity, together.T)[0, 1:]
    worse_is_higher = np.array(
        [name.startswith("echogenicity") for name in drawn.feature_names] + [False] * 5
    )
    assert (np.sign(link) == np.where(worse_is_higher, 1, -1)).all()
    assert np.abs(link[:32]).min() > 0.35
    assert np.abs(link[:32]).max() < 0.88
    duration = np.corrcoef(drawn.severity, np.log(drawn.people.duration_months))[0, 1]
    assert 0.1 < duration < 0.25


def test_presets_share_one_correlation_structure() -> None:
    """The presets differ in the distribution of severity alone: correlations of features agree."""
    upper = np.triu_indices(ANALYSED, 1)
    found = [
        np.corrcoef(
            draw(20_000, rng=np.random.default_rng(4), params=params).complete_features[:, :ANALYSED].T
        )[upper]
        for params in (UltrasoundParams(), CONTINUUM[0], CONTINUUM[1])
    ]
    for other in found[1:]:
        assert np.abs(found[0] - other).max() < 0.05


@pytest.mark.parametrize(("shape", "skew"), [("gaussian", 0.0), ("gamma", 1.0), ("lognormal", 2.56)])
def test_shapes_of_the_continuum(shape: ultrasound.Shape, skew: float) -> None:
    """Skew of exp(0.65 z) is (e^s2 + 2) sqrt(e^s2 - 1) = 2.56 with s2 = 0.4225; of gamma(4), 2 / sqrt(4)."""
    params = UltrasoundParams(preset="continuum", shape=shape)
    severity = draw(60_000, rng=np.random.default_rng(6), params=params).severity
    assert severity.mean() == pytest.approx(0, abs=0.02)
    assert severity.std() == pytest.approx(1, abs=0.03)
    assert stats.skew(severity) == pytest.approx(skew, abs=0.06 if skew < 2 else 0.6)


def test_ceiling_holds_a_quarter_of_the_values() -> None:
    features = draw(rng=np.random.default_rng(7), params=CONTINUUM[3]).complete_features
    ends = (features == features.min(axis=0)) | (features == features.max(axis=0))
    assert ends.mean() > 0.25
    assert ends.mean(axis=0).min() > 0.2


def test_severity_of_the_continuum_has_one_mode() -> None:
    """A histogram of severity rises and then falls; that of two classes at d = 4 does not."""

    def peaks(params: UltrasoundParams) -> int:
        severity = draw(60_000, rng=np.random.default_rng(8), params=params).severity
        counts = np.histogram(severity, bins=np.linspace(-3, 4, 15))[0]
        return int(((counts[1:-1] > counts[:-2]) & (counts[1:-1] > counts[2:])).sum())

    assert [peaks(params) for params in CONTINUUM] == [1, 1, 1, 1]
    assert peaks(UltrasoundParams(separation=4.0)) == 2


def test_missing_values() -> None:
    drawn = draw(20_000, rng=np.random.default_rng(9))
    share = drawn.missing.mean(axis=0)
    assert ((share[:ANALYSED] > 0) & (share[:ANALYSED] < 0.1)).all()
    assert (share[ANALYSED:] > 0.2).all()
    lacking = drawn.missing[:, :ANALYSED].any(axis=1)
    assert drawn.severity[lacking].mean() > drawn.severity[~lacking].mean() + 0.1, "the severe miss more"


def test_devices_shift_echogenicity_and_nothing_else() -> None:
    drawn = draw(60_000, rng=np.random.default_rng(10))
    means = np.stack([drawn.complete_features[drawn.device == code].mean(axis=0) for code in range(3)])
    spread = np.ptp(means, axis=0) / drawn.complete_features.std(axis=0)
    bright = np.array([name.startswith("echogenicity") for name in drawn.feature_names])
    assert (np.ptp(means, axis=0)[bright] > 3.0).all()
    assert spread[~bright].max() < 0.12


def test_class_coefficient_of_alsfrs_r() -> None:
    """The true class, adjusted, lies where the tuned constants put it (label -3.84, class the like)."""
    drawn = draw(100_000, rng=np.random.default_rng(12))
    design = np.column_stack([np.ones(100_000), drawn.severe, drawn.covariates])
    beta = np.linalg.lstsq(design, drawn.alsfrs_r, rcond=None)[0][1]
    assert beta == pytest.approx(-3.82, abs=0.16)


@pytest.mark.slow
def test_label_coefficient_is_the_published_one() -> None:
    """Wang 2026: -3.84. The coefficient of the k-means label in 200,000 patients; Monte Carlo error 0.037."""
    drawn = draw(200_000, rng=np.random.default_rng(13))
    z = (drawn.complete_features - drawn.complete_features.mean(axis=0)) / drawn.complete_features.std(axis=0)
    z = z[:, :ANALYSED]
    label = z[:, 0] < 0
    for _ in range(50):
        centres = np.stack([z[~label].mean(axis=0), z[label].mean(axis=0)])
        nearer = ((z - centres[0]) ** 2).sum(axis=1) > ((z - centres[1]) ** 2).sum(axis=1)
        if (nearer == label).all():
            break
        label = nearer
    design = np.column_stack([np.ones(len(z)), label, drawn.covariates])
    beta = np.linalg.lstsq(design, drawn.alsfrs_r, rcond=None)[0][1]
    assert beta == pytest.approx(-3.84, abs=0.11)


@pytest.mark.parametrize(
    ("given_words", "message"),
    [
        ({"preset": "three-classes"}, "no preset"),
        ({"shape": "square"}, "no shape"),
        ({"n": 1}, "n = 1"),
        ({"separation": -1.0}, "separation = -1.0"),
        ({"separation": float("nan")}, "separation = nan"),
    ],
)
def test_impossible_parameters_are_refused(given_words: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        UltrasoundParams(**given_words)


def test_a_draw_is_frozen_and_whole() -> None:
    drawn = draw(10, rng=np.random.default_rng(1))
    assert all(len(getattr(drawn, f.name)) == 10 for f in fields(drawn) if f.name != "people")
