"""ComBat against stored outputs of R, Python and Matlab programs, its laws, and its refusals."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.errors import InvalidInput
from myoproof.numerics.combat import Settings, apply, fit
from myoproof.numerics.combat_checks import fault_findings, inflations

DATA = Path(os.environ.get("MYOPROOF_DATA", "../shared/data")) / "stats_combat"
SITES = np.array(["1"] * 5 + ["2"] * 5)
PHENO = np.tile([1.0, 0.0], 5)[:, None]


def stored() -> list[str]:
    folder = DATA / "outputData"
    return sorted(path.stem for path in folder.glob("testdata_combat_*.csv")) if folder.is_dir() else [""]


def settings_of(name: str) -> Settings:
    return Settings(
        parametric="_nonparametric_" not in name,
        empirical_bayes="noeb" not in name,
        mean_only="meanonl" in name,
        reference="1" if "batchref" in name else "",
    )


def read(path: Path) -> np.ndarray:
    header = None if path.stem.endswith(("_python", "_matlab")) else 0
    return pd.read_csv(path, header=header).to_numpy(dtype=np.float64).T


@pytest.mark.real_data
@pytest.mark.parametrize("name", stored())
def test_stored_outputs_of_other_programs(name: str) -> None:
    if not name:
        pytest.skip("no stored outputs here")
    values = read(DATA / "inputData" / "testdata.csv")
    covariates = PHENO if "_adjusted_" in name else None
    model = fit(values, SITES, covariates, settings=settings_of(name))
    found = apply(model, values, SITES, covariates)
    loose = name.endswith("_matlab") and "_parametric_" in name
    np.testing.assert_allclose(
        found, read(DATA / "outputData" / f"{name}.csv"), rtol=0, atol=3e-4 if loose else 1e-10
    )


@pytest.mark.real_data
@pytest.mark.parametrize("program", ["r", "python"])
def test_model_applied_without_covariates_agrees_with_stored_outputs(program: str) -> None:
    path = DATA / "outputData" / f"training_test_scenario2_{program}.csv"
    if not path.is_file():
        pytest.skip("no stored outputs here")
    values = read(DATA / "inputData" / "testdata.csv")
    rows = [0, 1, 5, 6]
    found = apply(fit(values, SITES, PHENO), values[rows], SITES[rows])
    np.testing.assert_allclose(found, read(path), rtol=0, atol=1e-10)


def drawn(seed: int, *, n: int = 40, k: int = 4, p: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of k sites with location and scale of their own, and a covariate that moves every feature by 1."""
    rng = np.random.default_rng(seed)
    at = np.repeat(np.arange(k), n)
    sites = np.array([f"s{i}" for i in at])
    covariate = rng.normal(size=(len(at), 1))
    noise = rng.normal(size=(len(at), p)) * np.sqrt(rng.uniform(0.8, 1.25, size=(k, p)))[at]
    return 5.0 + covariate + rng.normal(0, 0.5, size=(k, p))[at] + noise, sites, covariate


VARIANTS = [
    Settings(parametric=parametric, empirical_bayes=bayes, mean_only=mean, reference=reference)
    for parametric in (True, False)
    for bayes in (True, False)
    for mean in (True, False)
    for reference in ("", "s1")
]


@pytest.mark.parametrize("chosen", VARIANTS, ids=str)
def test_every_variant_takes_sites_out_of_new_rows_and_keeps_the_covariate(chosen: Settings) -> None:
    values, sites, covariate = drawn(3, n=200)
    train = np.arange(len(sites)) % 2 == 0
    model = fit(values[train], sites[train], covariate[train], settings=chosen)
    even = apply(model, values[~train], sites[~train], covariate[~train])
    means = np.array([(even - covariate[~train])[sites[~train] == name].mean(axis=0) for name in model.sites])
    before = np.array([(values - covariate)[sites == name].mean(axis=0) for name in model.sites])
    # Published: mean only with empirical Bayes counts every site mean as one row, and so moves it too little.
    share = 0.9 if chosen.mean_only and chosen.empirical_bayes else 0.2
    assert means.var(axis=0).mean() < share * before.var(axis=0).mean()
    slope = np.linalg.lstsq(np.column_stack([np.ones(len(even)), covariate[~train]]), even, rcond=None)[0][1]
    np.testing.assert_allclose(slope, 1.0, atol=0.25)
    assert abs(slope.mean() - 1) < 0.06


def test_reference_rows_and_constant_features_come_back_as_they_are() -> None:
    values, sites, covariate = drawn(4)
    values[:, 2] = 7.0
    kept = values.copy()
    model = fit(values, sites, covariate, settings=Settings(reference="s2"))
    even = apply(model, values, sites, covariate)
    np.testing.assert_array_equal(even[sites == "s2"], values[sites == "s2"])
    np.testing.assert_array_equal(even[:, 2], 7.0)
    np.testing.assert_array_equal(values, kept)


def test_missing_values_stay_missing_and_change_no_other_feature_without_shrinkage() -> None:
    values, sites, covariate = drawn(5)
    holes = values.copy()
    holes[::7, 0] = np.nan
    alone = Settings(empirical_bayes=False)
    whole = apply(fit(values, sites, covariate, settings=alone), values, sites, covariate)
    found = apply(fit(holes, sites, covariate, settings=alone), holes, sites, covariate)
    assert np.isnan(found[::7, 0]).all()
    np.testing.assert_allclose(found[:, 1:], whole[:, 1:], rtol=1e-12)
    seen = np.isfinite(holes[:, 0])
    single = apply(
        fit(values[seen, :1], sites[seen], covariate[seen], settings=alone),
        values[seen, :1],
        sites[seen],
        covariate[seen],
    )
    residual = found[seen, 0] - single[:, 0]
    assert np.abs(residual - residual.mean()).max() < 1e-9


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 100.0), offset=st.floats(-50, 50))
def test_units_do_not_matter(seed: int, factor: float, offset: float) -> None:
    values, sites, covariate = drawn(seed, n=8, k=3, p=4)
    even = apply(fit(values, sites, covariate), values, sites, covariate)
    other = factor * values + offset
    found = apply(fit(other, sites, covariate), other, sites, covariate)
    np.testing.assert_allclose(found, factor * even + offset, rtol=1e-6, atol=1e-6 * factor)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_row_order_and_site_names_do_not_matter(seed: int) -> None:
    values, sites, covariate = drawn(seed, n=6, k=3, p=5)
    order = np.random.default_rng(seed).permutation(len(sites))
    other = np.array([{"s0": "z", "s1": "b", "s2": "k"}[name] for name in sites])
    even = apply(fit(values, sites, covariate), values, sites, covariate)
    found = apply(
        fit(values[order], other[order], covariate[order]), values[order], other[order], covariate[order]
    )
    np.testing.assert_allclose(found, even[order], rtol=1e-7)


def test_what_was_fitted_does_not_depend_on_rows_it_is_applied_to() -> None:
    values, sites, covariate = drawn(6)
    model = fit(values, sites, covariate)
    one = apply(model, values[:1], sites[:1], covariate[:1])
    np.testing.assert_allclose(one, apply(model, values, sites, covariate)[:1], rtol=1e-13)


def broken(**changes: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, sites, covariate = drawn(7, n=5, k=3)
    parts = {"values": values, "sites": sites, "covariate": covariate, **changes}
    return parts["values"], parts["sites"], parts["covariate"]  # type: ignore[return-value]


VALUES, NAMES, COVARIATE = drawn(7, n=5, k=3)
LONELY = np.where(np.arange(15) == 14, "s9", NAMES)
HOLE = np.where((NAMES == "s1")[:, None] & (np.arange(12) == 3), np.nan, VALUES)


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("one_site", broken(sites=np.array(["a"] * 15))),
        ("small_site", broken(sites=LONELY)),
        ("no_site", broken(sites=np.where(NAMES == "s2", "", NAMES))),
        ("constant_covariate", broken(covariate=np.ones((15, 1)))),
        ("missing_covariate", broken(covariate=np.where(np.arange(15)[:, None] == 2, np.nan, COVARIATE))),
        ("confounded", broken(covariate=(NAMES == "s1").astype(float)[:, None])),
        ("feature_not_in_site", broken(values=HOLE)),
        ("infinite", broken(values=np.where(VALUES.max() <= VALUES, np.inf, VALUES))),
    ],
)
def test_faults_are_named_and_refused(word: str, parts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    found = {finding.category: finding for finding in fault_findings(*parts)}
    assert found[word].level == "error"
    with pytest.raises(InvalidInput, match=found[word].message.split("[")[0][:40].replace("(", r"\(")):
        fit(*parts)


def test_remarks_are_no_refusals() -> None:
    still = np.where((NAMES == "s1")[:, None] & (np.arange(12) == 3), 2.0, VALUES)
    assert [f.category for f in fault_findings(still, NAMES, COVARIATE)] == ["constant_in_site"]
    assert np.isfinite(apply(fit(still, NAMES, COVARIATE), still, NAMES, COVARIATE)).all()


def test_one_subject_a_site_is_enough_for_means_only() -> None:
    model = fit(VALUES, LONELY, COVARIATE, settings=Settings(mean_only=True))
    assert np.isfinite(apply(model, VALUES, LONELY, COVARIATE)).all()


def test_unseen_site_and_other_columns_are_refused() -> None:
    model = fit(VALUES, NAMES, COVARIATE)
    with pytest.raises(InvalidInput, match="'s9' was not seen"):
        apply(model, VALUES, LONELY, COVARIATE)
    with pytest.raises(InvalidInput, match="12 features, the rows have 11"):
        apply(model, VALUES[:, 1:], NAMES, COVARIATE)
    with pytest.raises(InvalidInput, match="1 covariate columns, the rows have 2"):
        apply(model, VALUES, NAMES, np.ones((15, 2)))


def test_inflation_is_one_without_association() -> None:
    sites = np.repeat(["a", "b"], 4)
    assert inflations(sites, np.tile([0.0, 1.0], 4)[:, None])[0] == pytest.approx(1)
