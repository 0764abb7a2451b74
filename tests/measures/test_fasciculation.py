"""Fasciculations of simulated cines: counted, timed; cines without time or frames give absent rows."""

from dataclasses import replace

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Picture, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.measures.fasciculation import METHOD, measure
from myoproof.phantoms.bmode_cine import CineParams, SimulatedCine, cine
from myoproof.phantoms.bmode_motion import NOTHING
from myoproof.phantoms.bmode_scene import BmodeParams

VIEW = BmodeParams(shape=(160, 208), depth_mm=40.0, site="biceps_brachii")


@pytest.fixture(scope="module")
def still() -> SimulatedCine:
    params = CineParams(view=VIEW, seconds=3.0, n_fasciculations=2, disturbances=NOTHING)
    return cine(rng=np.random.default_rng(11), params=params)


def test_twitches_of_a_still_limb_are_counted_and_timed(still: SimulatedCine) -> None:
    rows = measure(still.acquisition, still.segmentation)
    rows = rows[rows["site"] == "biceps_brachii"]
    count = rows.loc[rows["measure"] == "fasciculation_count"].iloc[0]
    assert count["value"] == 2
    assert count["flags"] == ""
    assert rows.loc[rows["measure"] == "fasciculation_rate", "value"].iloc[0] == pytest.approx(20 / 3)
    frames = rows.loc[rows["measure"] == "fasciculation_peak_frame"]
    truth = still.rows.loc[still.rows["measure"] == "fasciculation_peak_frame"]
    assert list(frames["at"]) == ["event:1", "event:2"]
    assert np.abs(frames["value"].to_numpy() - truth["value"].to_numpy()).max() <= 1
    assert (frames["low"] <= frames["value"]).all()
    times = rows.loc[rows["measure"] == "fasciculation_peak_time", "value"]
    np.testing.assert_allclose(times, frames["value"] / 30.0)


def test_nothing_moves_where_nothing_twitches() -> None:
    params = CineParams(view=VIEW, seconds=1.2, n_fasciculations=0, disturbances=NOTHING)
    quiet = cine(rng=np.random.default_rng(3), params=params)
    rows = measure(quiet.acquisition, quiet.segmentation)
    assert rows.loc[rows["measure"] == "fasciculation_count", "value"].tolist() == [0.0]
    assert len(rows) == 2


def without_time(scan: Acquisition) -> Acquisition:
    return replace(scan, payload=replace(scan.payload, times_s=None), settings={})


def first_frame(scan: Acquisition) -> Acquisition:
    picture = scan.payload
    assert isinstance(picture, Picture)
    return replace(scan, payload=replace(picture, pixels=picture.pixels[:1], times_s=None))


@pytest.mark.parametrize(
    ("spoiled", "reason"), [(first_frame, "insufficient_data"), (without_time, "not_recorded")]
)
def test_a_cine_that_cannot_be_timed_gives_absent_rows(still, spoiled, reason) -> None:  # type: ignore[no-untyped-def]
    rows = measure(spoiled(still.acquisition), still.segmentation)
    assert set(rows["measure"]) == {"fasciculation_count", "fasciculation_rate"}
    assert rows["value"].isna().all()
    assert set(rows["absent"]) == {reason}
    assert set(rows["method"]) == {METHOD}


def test_an_empty_region_gives_absent_rows(still: SimulatedCine) -> None:
    empty = replace(still.segmentation, labels=np.zeros_like(still.segmentation.labels))
    rows = measure(still.acquisition, empty)
    assert set(rows["absent"]) == {"empty_label"}


def test_other_payloads_and_shapes_are_refused(still: SimulatedCine) -> None:
    volume = Acquisition(
        "s", "m00", "1", "dixon", Volume({"fat": np.zeros((4, 4, 4), np.float32)}, np.eye(4))
    )
    with pytest.raises(InvalidInput, match="pictures"):
        measure(volume, still.segmentation)
    small = Segmentation(np.zeros((1, 4, 4), np.uint16), np.eye(4), {2: ("biceps_brachii", "")}, "x")
    with pytest.raises(InvalidInput, match="labels"):
        measure(still.acquisition, small)
