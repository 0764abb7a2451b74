"""Measured against reference: the numbers come from the pairs, counted by subject."""

import numpy as np
import pandas as pd
import pytest

from myoproof.delivery import agreement
from myoproof.errors import InvalidInput


def test_bias_and_coverage_are_those_of_the_rows(pairs: pd.DataFrame) -> None:
    rows = pairs[pairs["measure"] == "fat_fraction"]
    found = agreement.summarise(rows, "fat_fraction")
    by_subject = (rows["value"] - rows["truth"]).groupby(rows["subject"]).mean()
    assert found.bias.value == pytest.approx(by_subject.mean(), abs=1e-12)
    assert found.covered == ((rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])).sum()
    assert (found.counted, found.n_rows, found.n_subjects) == (22, 22, 11)
    assert found.lower.value < found.bias.low < found.bias.high < found.upper.value


def test_the_sentence_is_in_points_and_carries_n(pairs: pd.DataFrame) -> None:
    section = agreement.section(pairs, key="a", simulated=True)
    said = {part.lead: part.text for part in section.statements}
    assert "percentage points" in said["Fat fraction"]
    assert "22 rows of 11 subjects" in said["Fat fraction"]
    assert "known truth of the simulation" in section.question
    shifted = pairs.assign(value=pairs["truth"] + 0.05, low=np.nan, high=np.nan)
    said = {part.lead: part.text for part in agreement.section(shifted, key="a", simulated=False).statements}
    assert said["Fat fraction"].startswith("Bias 5.00 percentage points (5.00 to 5.00)")
    assert "intervals hold" not in said["Fat fraction"]


def test_without_intervals_there_is_no_coverage_figure(pairs: pd.DataFrame) -> None:
    section = agreement.section(pairs.drop(columns=["low", "high"]), key="a", simulated=True)
    assert [drawing.key for drawing in section.drawings] == ["a-bland-altman"]
    assert any(isinstance(part, str) and "coverage of the intervals" in part for part in section.parts)


def test_one_subject_has_a_bias_but_no_limits(pairs: pd.DataFrame) -> None:
    section = agreement.section(pairs[pairs["subject"] == "img-0"], key="a", simulated=True)
    assert all("limits" not in part.text for part in section.statements)
    assert len(section.drawings) == 2


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InvalidInput, match="agreement pairs lack side, truth"):
        agreement.section(
            pd.DataFrame(columns=["subject", "measure", "site", "value"]), key="a", simulated=True
        )


def test_pairs_without_any_value_say_so(pairs: pd.DataFrame) -> None:
    section = agreement.section(pairs.assign(value=np.nan), key="a", simulated=True)
    assert section.parts == ("No row has both a value and a reference.",)
