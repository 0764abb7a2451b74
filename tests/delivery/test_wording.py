"""Numbers and probabilities in print."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.delivery import wording
from myoproof.delivery.naming import short_name, term_name, term_scale


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_printed_number_reads_back_within_its_rounding(value: float, decimals: int) -> None:
    text = wording.number(value, decimals)
    read = float(text.replace(wording.MINUS, "-").replace(",", ""))
    assert abs(read - value) <= 0.5 * 10**-decimals * (1 + 1e-9) + 1e-9 * abs(value)
    assert "-" not in text
    assert text != f"{wording.MINUS}{0:.{decimals}f}", "nothing is minus zero"


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_p_never_prints_larger(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert _read(wording.p_cell(low)) <= _read(wording.p_cell(high))


def _read(cell: str) -> float:
    return (
        {"< .001": 0.0, "> .99": 1.0}.get(cell)
        if cell[0] in "<>"
        else float(f"0{cell}" if cell[0] == "." else cell)
    )


@pytest.mark.parametrize(
    ("p", "cell"),
    [
        (0.0009, "< .001"),
        (0.001, ".001"),
        (0.0496, ".050"),
        (0.0994, ".099"),
        (0.0996, ".10"),
        (0.5, ".50"),
        (1.0, "> .99"),
    ],
)
def test_p_follows_the_usual_form(p: float, cell: str) -> None:
    assert wording.p_cell(p) == cell


def test_an_interval_has_common_decimals_and_words_between_its_bounds() -> None:
    assert wording.interval(1.0512, 0.7149, 1.4851) == "1.05 (0.71 to 1.49)"
    assert wording.interval(0.0121, 0.0043, 0.0199) == "0.012 (0.004 to 0.020)"
    assert wording.interval(59.03, 31.0, 160.2, decimals=0) == "59 (31 to 160)"


def test_what_is_absent_prints_a_dash_not_a_nan() -> None:
    texts = [wording.number(math.nan), wording.p_cell(math.nan), wording.percent(math.nan)]
    assert texts == [wording.DASH] * 3
    assert wording.interval(1.0, math.nan, math.nan) == "1.00"
    assert wording.size(math.nan) == "n not recorded"


def test_names_speak_the_language_of_the_vocabulary() -> None:
    assert (
        term_name("cross_sectional_area/head_neck/both/maximum")
        == "cross-sectional area, head and neck, maximal slice"
    )
    assert term_name("nerve_cross_sectional_area/median_wrist/left") == (
        "nerve cross-sectional area, median nerve at the wrist left"
    )
    assert term_name("onset_site: bulbar") == "onset site: bulbar"
    assert short_name("knee_extension_strength/knee/both") == "knee extension"


def test_fractions_become_per_cent_and_their_changes_points() -> None:
    assert term_scale("fat_fraction_signal/soleus/left") == (100.0, "%")
    assert term_scale("fat_fraction/soleus/left", "1/a", change=True) == (100.0, "percentage points per year")
    assert term_scale("volume/soleus/left", "mL/a", change=True) == (1.0, "mL per year")
    assert term_scale("srm/soleus/left", "1") == (1.0, "")
