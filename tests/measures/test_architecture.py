"""Architecture: geometry exact on drawn regions, mirrored and scaled alike, absent where nothing can be told."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from myoproof.core.acquisition import Acquisition, Form, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.measures.architecture import METHOD, Params, measure
from myoproof.phantoms.bmode import Simulated, frame
from myoproof.phantoms.bmode_scene import BmodeParams

SHAPE = (300, 400)
Labels = npt.NDArray[np.uint16]


@pytest.fixture(scope="module")
def scan() -> Simulated:
    return frame(rng=np.random.default_rng(11), params=BmodeParams(rises="right"))


def drawn(
    upper: float, lower: float, angle_deg: float = 20.0, spacing: float | None = 0.1
) -> tuple[Acquisition, Segmentation]:
    """Stripes between two sloping edges (depth at mid-width; slopes -2 and +3 deg), fat above."""
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    angle = np.radians(angle_deg)
    image = 100 + 50 * np.cos((cols * np.sin(angle) + rows * np.cos(angle)) * 0.5)
    x = cols - (SHAPE[1] - 1) / 2
    above, below = upper + np.tan(np.radians(2.0)) * x, lower - np.tan(np.radians(3.0)) * x
    labels = np.where((rows > above) & (rows < below), 2, 0)
    labels = np.where((rows > 10) & (rows < above - 8), 1, labels).astype(np.uint16)[None]
    held = Picture(image.astype(np.uint8)[None, :, :, None], None if spacing is None else (spacing, spacing))
    acquisition = Acquisition("s", "m00", "1", "ultrasound", held)
    names = {1: ("subcutaneous_fat", "left"), 2: ("vastus_lateralis", "left")}
    return acquisition, Segmentation(labels, np.eye(4), names, "reader")


def values(rows: pd.DataFrame) -> pd.Series:
    return rows.set_index(["measure", "at"])["value"]


def test_drawn_geometry_is_read_exactly() -> None:
    told = values(measure(*drawn(80.0, 240.0)))
    assert told["aponeurosis_angle", ""] == pytest.approx(-2.0, abs=0.05)
    assert told["aponeurosis_angle_deep", ""] == pytest.approx(3.0, abs=0.05)
    assert told["aponeurosis_depth_superficial", ""] == pytest.approx(8.05, abs=0.03)
    assert told["aponeurosis_depth_deep", ""] == pytest.approx(24.05, abs=0.03)
    assert told["thickness", ""] == pytest.approx(16.0, abs=0.05)
    half = (SHAPE[1] - 1) / 2 * 0.1
    wanted = 16.0 + half * (np.tan(np.radians(2.0)) + np.tan(np.radians(3.0)))
    assert told["thickness_deep_end", ""] == pytest.approx(wanted, abs=0.05)
    assert told["fascicle_angle", ""] == pytest.approx(20.0, abs=0.2)
    assert told["pennation_angle", ""] == pytest.approx(17.0, abs=0.25)
    assert told["subcutaneous_thickness", ""] == pytest.approx(8.0 - 0.8 - 1.05, abs=0.06)
    angle = np.radians(20.0)
    up = 8.0 / (np.sin(angle) + np.cos(angle) * np.tan(np.radians(2.0)))
    down = 8.0 / (np.sin(angle) - np.cos(angle) * np.tan(np.radians(3.0)))
    assert told["fascicle_length", ""] == pytest.approx(up + down, rel=0.02)


def test_a_mirrored_image_has_the_same_rows() -> None:
    acquisition, regions = drawn(80.0, 240.0)
    picture = acquisition.payload
    assert isinstance(picture, Picture)
    turned = replace(
        acquisition, payload=replace(picture, pixels=np.ascontiguousarray(picture.pixels[:, :, ::-1]))
    )
    there = values(measure(acquisition, regions))
    back = values(measure(turned, replace(regions, labels=np.ascontiguousarray(regions.labels[:, :, ::-1]))))
    whole = [key for key in there.index if key[0] != "thickness_profile"]
    pd.testing.assert_series_equal(back[whole], there[whole], rtol=1e-3, atol=2e-2)
    assert back["thickness_profile", "width:0.10"] == pytest.approx(
        there["thickness_profile", "width:0.90"], rel=1e-3
    )


def test_lengths_scale_and_angles_do_not() -> None:
    one, two = (values(measure(*drawn(80.0, 240.0, spacing=mm))) for mm in (0.1, 0.2))
    for key in one.index:
        factor = 1.0 if "angle" in key[0] else 2.0
        assert two[key] == pytest.approx(factor * one[key], rel=1e-9), key


def test_without_a_scale_lengths_are_in_pixels() -> None:
    rows = measure(*drawn(80.0, 240.0, spacing=None))
    lengths = rows[~rows["measure"].str.contains("angle")]
    assert set(lengths["unit"]) == {"px"}
    assert all("uncalibrated" in text for text in lengths["flags"])
    assert set(rows.loc[rows["measure"].str.contains("angle"), "unit"]) == {"deg"}


def test_truth_of_simulated_pictures_is_recovered(scan: Simulated) -> None:
    rows = measure(scan.acquisition, scan.segmentation)
    both = rows.merge(scan.rows, on=["site", "side", "measure", "at"], suffixes=("", "_true"))
    assert len(both) == 16
    error = (both["value"] - both["value_true"]).abs()
    assert error[both["measure"].str.contains("angle")].max() < 1.0
    near = both["unit"].eq("mm") & ~both["measure"].str.startswith("fascicle")
    assert error[near].max() < 0.1
    lengths = both["measure"].str.startswith("fascicle_length")
    assert (error / both["value_true"])[lengths].max() < 0.10


def test_intervals_stand_where_a_confidence_is_stated(scan: Simulated) -> None:
    sure = replace(scan.segmentation, confidence={1: 0.96, 2: 0.96})
    less = replace(scan.segmentation, confidence={1: 0.6, 2: 0.6})
    one, other = (measure(scan.acquisition, regions).set_index(["measure", "at"]) for regions in (sure, less))
    told = one.loc[("thickness", "")]
    assert told["low"] < told["value"] < told["high"]
    assert told["level"] == 0.95
    wide = other.loc[("thickness", "")]
    assert wide["high"] - wide["low"] > told["high"] - told["low"]
    assert one.loc[("fascicle_angle", ""), "low"] < one.loc[("fascicle_angle", ""), "value"]
    reader = measure(scan.acquisition, scan.segmentation).set_index(["measure", "at"])
    assert np.isnan(reader.loc[("thickness", ""), "low"])


@pytest.mark.parametrize(
    ("confidence", "emptied", "reason"),
    [({}, True, "empty_label"), ({2: 0.0}, True, "no_muscle_found"), ({2: 0.4}, True, "low_confidence"),
     ({2: 0.1}, False, "low_confidence")],
)  # fmt: skip
def test_absent_rows_say_why(
    scan: Simulated, confidence: dict[int, float], emptied: bool, reason: str
) -> None:
    labels = np.where(scan.segmentation.labels == 2, 0 if emptied else 2, 0).astype(np.uint16)
    rows = measure(scan.acquisition, replace(scan.segmentation, labels=labels, confidence=confidence))
    muscle = rows[rows["site"] == "vastus_lateralis"]
    assert len(muscle) == 15
    assert set(muscle["absent"]) == {reason}
    assert muscle["value"].isna().all()


def test_without_fascicles_angles_and_the_deep_end_are_absent() -> None:
    acquisition, regions = drawn(80.0, 240.0)
    picture = acquisition.payload
    assert isinstance(picture, Picture)
    even = replace(acquisition, payload=replace(picture, pixels=np.full_like(picture.pixels, 90)))
    rows = measure(even, regions).set_index(["measure", "at"])
    assert np.isfinite(rows.loc[("thickness", ""), "value"])
    for name in ("fascicle_angle", "thickness_deep_end", "fascicle_length", "pennation_angle"):
        assert rows.loc[(name, ""), "absent"] == "low_confidence"


def test_edges_are_prolonged_a_little_and_not_far() -> None:
    acquisition, regions = drawn(80.0, 240.0)
    for gap, flag, absent in ((60, "extrapolated", ""), (200, "", "low_confidence")):
        labels = regions.labels.copy()
        labels[:, :, :gap] = 0
        row = measure(acquisition, replace(regions, labels=labels)).set_index(["measure", "at"])
        deep = row.loc[("thickness_deep_end", "")]
        assert deep["absent"] == absent
        assert flag in deep["flags"]


def test_several_frames_give_their_mean_and_each(scan: Simulated) -> None:
    picture = scan.acquisition.payload
    assert isinstance(picture, Picture)
    twice = replace(scan.acquisition, payload=replace(picture, pixels=np.repeat(picture.pixels, 2, axis=0)))
    regions = replace(scan.segmentation, labels=np.repeat(scan.segmentation.labels, 2, axis=0))
    told = values(measure(twice, regions)[lambda rows: rows["site"] == "vastus_lateralis"])
    assert (
        told["thickness", "image:1"] == told["thickness", "image:2"] == pytest.approx(told["thickness", ""])
    )


def test_transverse_regions_are_read_fascia_to_fascia_and_to_bone() -> None:
    params = BmodeParams(view="transverse", site="rectus_femoris")
    scan = frame(rng=np.random.default_rng(5), params=params)
    rows = measure(scan.acquisition, scan.segmentation, params=Params(view="transverse"))
    both = rows.merge(scan.rows, on=["site", "side", "measure", "at"], suffixes=("", "_true"))
    assert set(both["site"]) >= {"rectus_femoris", "vastus_intermedius", "rectus_femoris_vastus_intermedius"}
    muscles = both[both["site"] != "subcutaneous_fat"]
    assert ((muscles["value"] / muscles["value_true"]) - 1).abs().max() < 0.03


def test_a_muscle_cut_by_the_picture_has_no_area() -> None:
    acquisition, regions = drawn(80.0, 240.0)
    rows = measure(acquisition, regions, params=Params(view="transverse")).set_index(["site", "measure"])
    assert rows.loc[("vastus_lateralis", "cross_sectional_area"), "absent"] == "not_imaged"


def test_inputs_stay_and_bad_ones_are_refused(scan: Simulated) -> None:
    before = scan.segmentation.labels.copy()
    assert set(measure(scan.acquisition, scan.segmentation)["method"]) == {METHOD}
    assert np.array_equal(scan.segmentation.labels, before)
    with pytest.raises(InvalidInput, match="picture"):
        measure(replace(scan.acquisition, payload=Form({})), scan.segmentation)
    with pytest.raises(InvalidInput, match="view"):
        measure(scan.acquisition, scan.segmentation, params=Params(view="oblique"))
    with pytest.raises(InvalidInput, match="shape"):
        measure(scan.acquisition, replace(scan.segmentation, labels=scan.segmentation.labels[:, :50]))
