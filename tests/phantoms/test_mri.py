"""The MRI cohort: lawful and consistent rows, informative dropout, and change of the published size."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.core.cohort import Cohort, feature_matrix
from myoproof.core.study import Feature
from myoproof.core.table import validate, write_table
from myoproof.errors import InvalidInput
from myoproof.phantoms import mri
from myoproof.phantoms.constants import constant
from myoproof.phantoms.mri import MriDraw, MriParams, draw, simulate
from myoproof.phantoms.mri_model import muscle_sites, region_sites
from myoproof.vocabulary.lookup import words

TABLES = ("subjects", "acquisitions", "measurements", "events", "covariates")
REGIONS = ["head_neck", "hand", "thigh", "calf"]


@pytest.fixture(scope="module")
def simulated() -> tuple[Cohort, pd.DataFrame]:
    return simulate(rng=np.random.default_rng(5))


@pytest.fixture(scope="module")
def population() -> MriDraw:
    return draw(rng=np.random.default_rng(6), params=MriParams(n_als=20_000, n_control=4000))


def values(
    cohort: Cohort, measure: str, sites: list[str], at: str = "", session: str = "m00"
) -> pd.DataFrame:
    wanted = [Feature(measure=measure, site=site, side="both", at=at) for site in sites]
    return feature_matrix(cohort, wanted, session=session)


def test_published_design(simulated: tuple[Cohort, pd.DataFrame]) -> None:
    """Klickovic 2025: 20 ALS and 16 controls, months 0, 6 and 12."""
    cohort, truth = simulated
    assert cohort.subjects["arm"].value_counts().to_dict() == {"als": 20, "control": 16}
    assert sorted(cohort.acquisitions["session"].unique()) == ["m00", "m06", "m12"]
    assert len(truth) == 36 * 3
    days = cohort.acquisitions.groupby("session")["day"].agg(["min", "max"])
    assert tuple(days.loc["m00"]) == (0, 0)
    assert days.loc["m06", "min"] > 150
    assert days.loc["m12", "max"] < 400


def test_the_demo_seed_gives_the_published_completers() -> None:
    cohort = mri.cohort(rng=np.random.default_rng(constant("mri.demo_seed")))
    patients = cohort.subjects.loc[cohort.subjects["arm"] == "als", "subject"]
    done = cohort.acquisitions.query("session == 'm12' and modality == 'dixon'")["subject"]
    assert patients.isin(done).sum() == constant("mri.completers") == 17


def test_rows_are_lawful(simulated: tuple[Cohort, pd.DataFrame]) -> None:
    cohort, truth = simulated
    rows = cohort.measurements
    validate(rows)
    assert set(rows["site"]) <= set(words("sites"))
    assert set(rows["flags"]) == {"simulated"}
    visits = set(map(tuple, cohort.acquisitions[["subject", "session", "modality"]].to_numpy()))
    assert set(map(tuple, rows[["subject", "session", "modality"]].to_numpy())) <= visits
    assert not {column for column in truth if column.startswith(("loss", "volume_ml"))} & set(
        cohort.covariates
    )


def test_regions_are_made_of_their_muscles(simulated: tuple[Cohort, pd.DataFrame]) -> None:
    cohort = simulated[0]
    for region in ("thigh", "calf"):
        muscles = [muscle for of, muscle in muscle_sites() if of == region]
        volume, fat = (values(cohort, measure, muscles).to_numpy() for measure in ("volume", "fat_fraction"))
        whole = values(cohort, "volume", [region]).to_numpy()[:, 0]
        np.testing.assert_allclose(volume.sum(axis=1), whole, atol=0.006)
        mixed = (volume * fat).sum(axis=1) / volume.sum(axis=1)
        np.testing.assert_allclose(
            values(cohort, "fat_fraction", [region]).to_numpy()[:, 0], mixed, atol=1e-6
        )


def test_functional_remaining_area_is_what_fat_leaves(simulated: tuple[Cohort, pd.DataFrame]) -> None:
    cohort = simulated[0]
    area = values(cohort, "cross_sectional_area", REGIONS, "maximum").to_numpy()
    fat = values(cohort, "fat_fraction", REGIONS).to_numpy()
    rest = values(cohort, "functional_remaining_area", REGIONS, "maximum").to_numpy()
    np.testing.assert_allclose(rest, area * (1 - fat), atol=0.006)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    def text(seed: int) -> bytes:
        cohort = mri.cohort(rng=np.random.default_rng(seed))
        for name in TABLES:
            write_table(getattr(cohort, name), tmp_path / f"{name}.csv")
        return b"".join((tmp_path / f"{name}.csv").read_bytes() for name in TABLES)

    assert text(3) == text(3)
    assert text(3) != text(4)


@given(n_als=st.integers(0, 12), n_control=st.integers(0, 6), seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_any_size_gives_a_lawful_cohort(n_als: int, n_control: int, seed: int) -> None:
    if n_als + n_control == 0:
        with pytest.raises(InvalidInput, match="0 patients"):
            MriParams(n_als=0, n_control=0)
        return
    cohort, truth = simulate(
        rng=np.random.default_rng(seed), params=MriParams(n_als=n_als, n_control=n_control)
    )
    assert len(cohort.subjects) == n_als + n_control
    assert len(cohort.events) == n_als + n_control
    assert int(truth["seen"].sum()) == len(cohort.acquisitions.query("modality == 'dixon'"))
    score = cohort.measurements.query("measure == 'alsfrs_r'")
    assert set(score["subject"]) == set(cohort.subjects.loc[cohort.subjects["arm"] == "als", "subject"])
    np.testing.assert_array_equal(score["value"], score["value"].round())


def test_dropout_hides_visits_and_changes_nothing_else() -> None:
    """With and without dropout the same seed gives the same values; every baseline is seen; nobody returns."""
    params = MriParams(n_als=300)
    leaving = draw(rng=np.random.default_rng(7), params=params)
    staying = draw(rng=np.random.default_rng(7), params=MriParams(n_als=300, dropout=False))
    assert staying.seen.all()
    assert leaving.seen[:, 0].all()
    assert (np.diff(leaving.seen.astype(int), axis=1) <= 0).all()
    assert 0 < (~leaving.seen).sum() < 200
    assert leaving.seen[~leaving.patient].all()
    for name in ("day", "strength", "alsfrs_r", "true_volume_ml"):
        np.testing.assert_array_equal(getattr(leaving, name), getattr(staying, name))
    np.testing.assert_array_equal(leaving.regions.volume_ml, staying.regions.volume_ml)


def test_dropout_is_informative(population: MriDraw) -> None:
    """Those who leave had lost more, most of all in the part that is not seen."""
    done = population.seen.all(axis=1)[population.patient]
    lost = (
        1
        - population.true_volume_ml[population.patient, 2] / population.true_volume_ml[population.patient, 0]
    )
    assert (lost[~done].mean(axis=0) > 1.2 * lost[done].mean(axis=0)).all()
    assert done.mean() * 20 == pytest.approx(17, abs=0.25)


def test_events_tell_who_left(simulated: tuple[Cohort, pd.DataFrame]) -> None:
    cohort, truth = simulated
    seen = truth.groupby("subject")["seen"].sum()
    left = cohort.events.set_index("subject")["status"] == "observed"
    assert (left.sort_index() == (seen < 3).sort_index()).all()
    assert (cohort.events["end_day"] > 0).all()


def test_patients_only_lose_and_controls_drift(population: MriDraw) -> None:
    assert (population.loss_per_year >= 0).all()
    assert population.loss_per_year[~population.patient].max() <= 0.01
    volume = population.true_volume_ml
    assert (np.diff(volume, axis=1) <= 0).all()
    assert (np.diff(population.regions.fat_fraction[population.patient].mean(axis=0), axis=0) > 0).all()
    assert (np.diff(population.regions.t2_ms[population.patient].mean(axis=0), axis=0) > 0).all()


def last_change(array: np.ndarray, population: MriDraw) -> tuple[np.ndarray, np.ndarray]:
    kept = population.patient & population.seen[:, 1]
    last = population.seen[kept].sum(axis=1) - 1
    end = array[kept, last]
    return end - array[kept, 0], end / array[kept, 0] - 1


@pytest.mark.parametrize(("site", "eta"), [("head_neck", 0.47), ("thigh", 0.56), ("calf", 0.54)])
def test_responsiveness_is_the_published_one(population: MriDraw, site: str, eta: float) -> None:
    """Klickovic 2025: partial eta squared, as a contrast of 17 with 1 df: SRM = sqrt(eta / (1 - eta) 16 / 17)."""
    change = last_change(population.regions.volume_ml[..., region_sites().index(site)], population)[0]
    assert -change.mean() / change.std() == pytest.approx(np.sqrt(eta / (1 - eta) * 16 / 17), abs=0.1)


def test_correlations_are_the_published_ones(population: MriDraw) -> None:
    """Klickovic 2025: knee extension .77, plantar flexion .78, grip .71, ALSFRS-R .68, relative changes."""
    pairs = [("thigh", 0, 0.77), ("calf", 1, 0.78), ("hand", 2, 0.71), ("thigh", None, 0.68)]
    for site, column, published in pairs:
        clinical = population.alsfrs_r if column is None else population.strength[..., column]
        volume = last_change(population.regions.volume_ml[..., region_sites().index(site)], population)[1]
        other = last_change(clinical, population)[1]
        known = np.isfinite(other)
        assert np.corrcoef(volume[known], other[known])[0, 1] == pytest.approx(published, abs=0.03)


def test_scanner_is_upgraded_once_and_stays(population: MriDraw) -> None:
    assert (np.diff(population.device, axis=1) >= 0).all()
    assert (population.device[population.centre == 0] == 0).all()
    later = population.device[population.centre == 1]
    assert set(np.unique(later)) == {1, 2}
    assert 0.1 < (later[:, 0] != later[:, 2]).mean() < 0.9, "for some the upgrade falls into the year"


def test_rescan_error_is_small(population: MriDraw) -> None:
    """ICC of log volume at least 0.98 in every region; controls hardly change between two visits."""
    control = population.regions.volume_ml[~population.patient]
    error = np.log(control[:, 1] / control[:, 0]).var(axis=0) / 2
    total = np.log(population.regions.volume_ml[population.patient][:, 0]).var(axis=0)
    assert (1 - error / total >= 0.98).all()


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="-1 patients"):
        MriParams(n_als=-1)
