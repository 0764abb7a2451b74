"""Columns as a design, learnt on some rows and applied to others."""

import numpy as np
import pytest

from myoproof.errors import InvalidInput
from myoproof.numerics.coding import encode, learn


def test_numbers_and_words() -> None:
    columns = {"age": np.array([1.0, np.nan]), "sex": np.array(["male", "female"], dtype=object)}
    coding = learn(columns)
    assert coding.names == ("age", "sex: male")
    np.testing.assert_array_equal(encode(coding, columns), [[1.0, 1.0], [np.nan, 0.0]])


def test_unseen_words_are_refused_and_absent_levels_are_zero() -> None:
    coding = learn({"arm": ["a", "b", "c"]})
    assert encode(coding, {"arm": ["a", "a"]}).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(InvalidInput, match="arm holds d"):
        encode(coding, {"arm": ["a", "d"]})


def test_no_column_gives_no_design() -> None:
    assert learn({}).names == ()
