"""Holm and Benjamini-Hochberg: statsmodels gives the same, and the families hold their error rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.multitest import multipletests

from myoproof.numerics.multiplicity import adjust

P_VALUES = arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1))


@given(P_VALUES, st.sampled_from([("holm", "holm"), ("benjamini_hochberg", "fdr_bh")]))
@settings(deadline=None, max_examples=50)
def test_statsmodels_agrees(p: np.ndarray, names: tuple[str, str]) -> None:
    np.testing.assert_allclose(adjust(p, names[0]), multipletests(p, method=names[1])[1], rtol=1e-12)


@given(P_VALUES, st.sampled_from(["holm", "benjamini_hochberg"]))
@settings(deadline=None)
def test_adjusted_values_keep_the_order_and_never_fall(p: np.ndarray, procedure: str) -> None:
    adjusted = adjust(p, procedure)
    assert (adjusted >= p - 1e-15).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= -1e-15).all()


def test_missing_tests_do_not_count() -> None:
    found = adjust([0.01, np.nan, 0.02], "holm")
    np.testing.assert_allclose(found, [0.02, np.nan, 0.02])
    assert np.isnan(adjust([np.nan], "holm")).all()


def test_none_leaves_them_as_they_are() -> None:
    assert adjust([0.2, 0.1], "none").tolist() == [0.2, 0.1]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        adjust([1.2], "holm")
    with pytest.raises(ValueError, match="unknown procedure"):
        adjust([0.2], "bonferoni")


def test_holm_holds_the_family_error() -> None:
    p = np.random.default_rng(0).uniform(size=(4000, 8))
    assert np.mean([(adjust(row, "holm") <= 0.05).any() for row in p]) == pytest.approx(0.05, abs=0.012)
