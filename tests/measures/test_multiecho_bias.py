"""The bias budget: published sizes, what is corrected, and what is not known said so."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.measures.multiecho import Params
from myoproof.measures.multiecho_bias import COLUMNS, budget
from myoproof.measures.multiecho_settings import relaxation_of
from myoproof.measures.multiecho_spectrum import shift_of, solver_peaks, triglyceride
from myoproof.phantoms.multiecho_physics import fat_spectrum

SETTINGS = {"field_strength_t": 3.0, "repetition_time_s": 0.010, "flip_angle_deg": 10.0}
SIX = 0.00115 + 0.00096 * np.arange(6)
THREE = np.array([0.00345, 0.00460, 0.00575])


def echoes(times=SIX, settings=None, dtype=np.complex64) -> Acquisition:
    payload = Echoes(np.ones((4, 4, 2, len(times)), dtype=dtype), np.asarray(times), np.eye(4))
    return Acquisition(
        "s", "m00", "", "multiecho", payload, settings=SETTINGS if settings is None else settings
    )


def row(table: pd.DataFrame, source: str) -> pd.Series:
    (found,) = (one for _, one in table.iterrows() if one["source"] == source)
    return found


def test_every_source_is_named_once_with_its_columns() -> None:
    table = budget(echoes())
    assert list(table.columns) == list(COLUMNS)
    assert table["source"].is_unique
    assert set(table["corrected"]) <= {"yes", "no", "none", "doubt"}
    assert (table["note"] != "").all()


def test_t1_bias_is_the_published_one_and_corrected() -> None:
    found = row(budget(echoes()), "T1 weighting")
    assert found["at_50"] == pytest.approx(16.9, abs=0.1)
    assert found["corrected"] == "yes"
    doubt = row(budget(echoes()), "T1 and B1 of the subject")
    assert 5.0 < doubt["at_50"] < 7.5


def test_unknown_protocol_gives_no_number() -> None:
    found = row(budget(echoes(settings={"field_strength_t": 3.0})), "T1 weighting")
    assert np.isnan(found["at_50"])
    assert found["corrected"] == "no"
    assert "flip angle" in found["note"]


def test_single_peak_bias_of_a_three_point_protocol() -> None:
    """An independent computation gave several points, largest at half fat, for 3.45/4.60/5.75 ms."""
    table = budget(echoes(THREE))
    found = row(table, "single peak instead of a spectrum")
    assert abs(found["at_50"]) > abs(found["at_10"]) > 2.0
    assert row(table, "R2*")["corrected"] == "doubt"


def test_magnitudes_have_a_floor_and_phase_has_none() -> None:
    images = Acquisition(
        "s",
        "m00",
        "",
        "dixon",
        Volume({n: np.ones((4, 4, 2), np.float32) for n in ("fat", "water")}, np.eye(4)),
    )
    assert row(budget(echoes()), "noise floor")["corrected"] == "none"
    floor = row(budget(images, snr=20.0), "noise floor")
    assert floor["corrected"] == "no"
    assert floor["at_10"] > floor["at_30"] > 0
    chosen = row(budget(echoes(), phase_kept=False), "noise floor")
    assert chosen["corrected"] == "no"
    assert "the solver chose magnitudes" in chosen["note"]
    magnitude = row(budget(echoes(dtype=np.float32)), "noise floor")
    assert magnitude["corrected"] == "no"


def test_bandwidth_tells_the_displacement() -> None:
    found = row(
        budget(echoes(settings=SETTINGS | {"pixel_bandwidth_hz": 434.0})), "chemical-shift displacement"
    )
    assert "1.00 pixels" in found["note"]


def test_shift_of_the_same_spectrum_is_none() -> None:
    shift = shift_of(solver_peaks("hamilton"), SIX, field_strength_t=3.0, spectrum="hamilton")
    np.testing.assert_allclose(shift.found, shift.true, atol=1e-5)
    np.testing.assert_allclose(shift.undone([0.1, 0.5]), [0.1, 0.5], atol=1e-5)


def test_the_triglyceride_agrees_with_the_phantoms_own() -> None:
    ours, theirs = triglyceride(2.5), fat_spectrum(2.5)
    order = np.argsort(ours[0]), np.argsort(theirs[0])
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine[order[0]], other[order[1]], atol=1e-9)


def test_undoing_a_shift_gives_the_true_fraction_back() -> None:
    shift = shift_of(triglyceride(2.8), SIX, field_strength_t=3.0, spectrum="hamilton")
    np.testing.assert_allclose(shift.undone(shift.found), shift.true, atol=2e-3)
    assert shift.found[6] < 0.49


@pytest.mark.parametrize(("strength", "water"), [(3.0, 1.42), (1.5, 1.13), (0.35, None)])
def test_relaxation_follows_the_field(strength: float, water: float | None) -> None:
    found = relaxation_of({"field_strength_t": strength})
    assert (found.t1_water_s if found else None) == water


def test_given_relaxation_wins() -> None:
    own = replace(relaxation_of(SETTINGS), t1_water_s=1.2)
    weaker = row(budget(echoes(), Params(relaxation=own)), "T1 weighting")["at_50"]
    assert weaker < row(budget(echoes()), "T1 weighting")["at_50"]
