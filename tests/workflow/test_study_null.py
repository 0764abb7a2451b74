"""A study where there is nothing to find: cohorts keep what they should, lose what they should, and are told apart."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.studies.test_phenotypes import simulated, study

from myoproof.core.cohort import Cohort, feature_matrix
from myoproof.core.study import Study, parse_study
from myoproof.errors import InvalidInput
from myoproof.studies.phenotypes_null import null as phenotypes_null
from myoproof.studies.progression_null import null as progression_null
from myoproof.workflow.study_null import run_null
from myoproof.workflow.templates import TEMPLATES, simulate, write_example


def changes(cohort: Cohort, asked: Study) -> pd.DataFrame:
    last, first = (feature_matrix(cohort, asked.features[:1], session=name) for name in ("m12", "m00"))
    return (last - first).dropna(axis=1, how="all")


def test_the_null_of_phenotypes_keeps_covariance_and_gaps_and_loses_the_classes() -> None:
    cohort, asked = simulated()[0], study(nulls=["gaussian"])
    before = feature_matrix(cohort, asked.features, session="m00")
    drawn, same = phenotypes_null(cohort, asked).draw(np.random.default_rng(1))
    after = feature_matrix(drawn, asked.features, session="m00")
    assert same is asked
    kept = after.columns[(after != before).any() & (before.isna().mean() < 0.2)]
    assert len(kept) == 30
    assert (after[kept].isna() == before[kept].isna()).all().all()
    spread = after[kept].std() / before[kept].std()
    assert spread.between(0.75, 1.3).all()
    assert (
        np.corrcoef(after[kept].corr().to_numpy().ravel(), before[kept].corr().to_numpy().ravel())[0, 1] > 0.8
    )
    others = ~cohort.measurements["measure"].isin([f.measure for f in asked.features])
    pd.testing.assert_frame_equal(drawn.measurements[others], cohort.measurements[others])


def test_the_null_of_progression_flips_whole_subjects() -> None:
    asked = parse_study(TEMPLATES["als-mri-progression"].text)
    cohort = simulate("als-mri-progression")
    drawn, _ = progression_null(cohort, asked).draw(np.random.default_rng(2))
    before, after = changes(cohort, asked), changes(drawn, asked)
    np.testing.assert_allclose(np.abs(after), np.abs(before))
    sign = np.sign(after / before)
    per_subject = sign.where(before.abs() > 0).apply(lambda row: row.dropna().nunique(), axis=1)
    assert (per_subject[per_subject > 0] == 1).all()
    assert set(sign.stack().unique()) == {-1.0, 1.0}
    first = feature_matrix(drawn, asked.features[:1], session="m00")
    np.testing.assert_allclose(first, feature_matrix(cohort, asked.features[:1], session="m00"))


def test_the_null_of_a_trial_deals_the_arms_anew() -> None:
    asked = parse_study(TEMPLATES["als-mri-progression"].text)
    asked = asked.model_copy(update={"method": {**asked.method, "mmrm": {"structure": "UN"}}})
    cohort = simulate("als-mri-progression")
    drawn, _ = progression_null(cohort, asked).draw(np.random.default_rng(2))
    assert drawn.measurements is cohort.measurements
    arms, dealt = cohort.subjects["arm"], drawn.subjects["arm"]
    assert dealt.value_counts().to_dict() == arms.value_counts().to_dict()
    assert (dealt != arms).any()


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A progression study of a few features on its simulated cohort."""
    folder = tmp_path_factory.mktemp("null")
    toml = write_example("als-mri-progression", folder)
    text = toml.read_text().replace("bootstrap = 2000", "bootstrap = 200")
    toml.write_text(text)
    return toml, folder / "cohort"


@pytest.mark.slow
def test_what_is_found_where_there_is_nothing(quick: tuple[Path, Path], tmp_path: Path) -> None:
    run = run_null(*quick, tmp_path / "out", replicates=5)
    change = run.summary.set_index("analysis").loc["change"]
    assert change["found_really"] > 50
    assert change["found_under_null"] < 0.1 * change["found_really"]
    page = (tmp_path / "out" / "null.html").read_text()
    assert "sign of each subject" in page
    assert "simulated" in page.lower()
    assert set(pd.read_csv(tmp_path / "out" / "found.csv")["cohort"]) <= set(range(6))
    again = run_null(*quick, tmp_path / "out", replicates=5)
    pd.testing.assert_frame_equal(again.summary, run.summary)


def test_no_cohorts_and_no_null_are_told(quick: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="0 null cohorts"):
        run_null(*quick, tmp_path / "out", replicates=0)
    toml = tmp_path / "other.toml"
    toml.write_text(quick[0].read_text().replace('kind = "progression"', 'kind = "phenotype"'))
    with pytest.raises(KeyError, match="did you mean 'phenotypes'"):
        run_null(toml, quick[1], tmp_path / "out")
