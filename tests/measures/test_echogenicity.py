"""Echogenicity: values, rules, absent rows, calibration and depth, on pictures of known grey levels."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.provenance import digest_arrays
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput, NotReadable
from myoproof.measures.echogenicity import WORDS, Params, measure
from myoproof.measures.echogenicity_calibration import from_csv, from_toml

SHAPE = (120, 160)
PLAIN = Params(texture=(), depth_slope_per_cm=0)
CALIBRATION = """
device = "device-a"
preset = "muscle"
gain_db = 0.0
dynamic_range_db = 60.0
target = [{db = -12, grey = 20}, {db = 0, grey = 71, grey_se = 0.5, db_sd = 0.2}, {db = 12, grey = 122}]
"""


def scan(grey: np.ndarray, *, tissue: np.ndarray | None = None, spacing=(0.1, 0.1), **more) -> Acquisition:
    frames = grey[None] if grey.ndim == 2 else grey
    picture = Picture(frames[..., None].astype(np.uint8), spacing, "user", None, tissue)
    told = {"device": "device-a", "preset": "muscle", "settings": {"gain_db": 0.0, "dynamic_range_db": 60.0}}
    return Acquisition("s1", "m00", "r1", "ultrasound", picture, **{**told, **more})


def drawn(n_frames: int = 1, **confidence: float) -> Segmentation:
    """Fat in rows 10-29, muscle in rows 30-89, label 3 nowhere."""
    labels = np.zeros((n_frames, *SHAPE), np.uint16)
    labels[:, 10:30], labels[:, 30:90] = 1, 2
    names = {1: ("subcutaneous_fat", ""), 2: ("vastus_lateralis", "left"), 3: ("soleus", "left")}
    return Segmentation(labels, np.eye(4), names, "reader", {int(k[1:]): v for k, v in confidence.items()})


def noise(seed: int = 0, shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 120, shape).astype(np.uint8)


def value(
    rows: pd.DataFrame, measure_: str, site="vastus_lateralis", method="echogenicity:whole", at=""
) -> pd.Series:
    found = rows[
        (rows["measure"] == measure_)
        & (rows["site"] == site)
        & (rows["method"] == method)
        & (rows["at"] == at)
    ]
    assert len(found) == 1
    return found.iloc[0]


def test_the_mean_is_that_of_the_label() -> None:
    grey = noise()
    rows = measure(scan(grey), drawn(), params=PLAIN)
    own = value(rows, "echogenicity")
    assert own["value"] == pytest.approx(grey[30:90].mean())
    assert own["low"] < own["value"] < own["high"]
    assert value(rows, "echogenicity_percentile_50")["value"] == np.median(grey[30:90])
    assert own["unit"] == "{grey}"


def test_only_tissue_counts() -> None:
    grey, tissue = noise(), np.ones(SHAPE, bool)
    grey[30:90, :40], tissue[30:90, :40] = 255, False
    own = value(measure(scan(grey, tissue=tissue), drawn(), params=PLAIN), "echogenicity")
    assert own["value"] == pytest.approx(grey[30:90, 40:].mean())
    assert "text_masked" in own["flags"]


def test_central_leaves_the_fascia_out() -> None:
    grey = np.full(SHAPE, 60)
    grey[30:34], grey[86:90] = 200, 200
    rows = measure(scan(grey), drawn(), params=PLAIN)
    assert value(rows, "echogenicity")["value"] > 65
    assert value(rows, "echogenicity", method="echogenicity:central")["value"] == 60


def test_a_drawn_region_says_so() -> None:
    rows = measure(scan(noise()), drawn(), params=replace(PLAIN, rules=("drawn",)))
    assert set(rows["method"]) == {"echogenicity:drawn"}


def test_an_empty_label_is_an_absent_row() -> None:
    rows = measure(scan(noise()), drawn())
    gone = rows[rows["site"] == "soleus"]
    assert set(gone["absent"]) == {"empty_label"}
    assert set(WORDS.values()) <= set(gone["measure"])
    full = rows[(rows["site"] == "vastus_lateralis") & (rows["at"] == "")]
    assert set(gone["measure"]) <= set(full["measure"])


def test_an_unsure_segmenter_gives_absent_rows() -> None:
    rows = measure(scan(noise()), drawn(_2=0.1, _3=0.0), params=PLAIN)
    assert value(rows, "echogenicity")["absent"] == "low_confidence"
    assert value(rows, "echogenicity", site="soleus")["absent"] == "no_muscle_found"
    rows = measure(scan(noise()), drawn(_3=0.3), params=PLAIN)
    assert value(rows, "echogenicity", site="soleus")["absent"] == "low_confidence"
    rows = measure(scan(noise()), drawn(_2=0.4), params=PLAIN)
    assert value(rows, "echogenicity")["flags"] == "low_confidence"
    assert value(rows, "echogenicity")["quality"] == "warn"


def test_few_pixels_are_insufficient() -> None:
    tissue = np.zeros(SHAPE, bool)
    tissue[40:45, 40:45] = True
    assert (
        value(measure(scan(noise(), tissue=tissue), drawn()), "echogenicity")["absent"] == "insufficient_data"
    )


def test_frames_are_rows_and_their_mean() -> None:
    grey = np.stack([noise(k) for k in range(3)])
    rows = measure(scan(grey), drawn(3), params=PLAIN)
    single = [value(rows, "echogenicity", at=f"image:{k + 1}")["value"] for k in range(3)]
    assert single == pytest.approx([frame[30:90].mean() for frame in grey])
    assert value(rows, "echogenicity")["value"] == pytest.approx(np.mean(single))


def test_the_ends_of_the_scale_are_told() -> None:
    grey = noise()
    grey[30:90, :80] = 0
    own = measure(scan(grey), drawn(), params=PLAIN)
    assert value(own, "echogenicity_share_black")["value"] == pytest.approx(0.5)
    assert "saturated" in value(own, "echogenicity")["flags"]


def test_depth_correction_adds_the_slope_times_the_thickness() -> None:
    params = replace(PLAIN, depth_slope_per_cm=40.5278)
    rows = measure(scan(noise()), drawn(), params=params)
    plain = value(rows, "echogenicity")
    own = value(rows, "echogenicity_depth_corrected", method="echogenicity:whole:40.5278_per_cm")
    assert own["value"] - plain["value"] == pytest.approx(40.5278 * 0.2)  # 20 rows of 0.1 mm
    assert own["high"] - own["low"] == pytest.approx(plain["high"] - plain["low"])
    rows = measure(scan(noise(), spacing=None), drawn(), params=params)
    own = value(rows, "echogenicity_depth_corrected", method="echogenicity:whole:40.5278_per_cm")
    assert own["absent"] == "uncalibrated"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, 0.0),
        ({"settings": {"gain_db": 3.0, "dynamic_range_db": 60.0}}, -3.0),
        ({"settings": {}}, 0.0),
        ({"device": "device-b"}, "unknown_device"),
        ({"preset": "nerve"}, "unknown_device"),
        ({"settings": {"gain_db": 0.0, "dynamic_range_db": 70.0}}, "unknown_device"),
    ],
)
def test_backscatter_needs_a_calibration_of_device_and_preset(more: dict, expected: object) -> None:
    params = replace(PLAIN, calibrations=(from_toml(CALIBRATION),))
    own = value(measure(scan(np.full(SHAPE, 71), **more), drawn(), params=params), "echogenicity_backscatter")
    if isinstance(expected, str):
        assert own["absent"] == expected
    else:
        assert own["value"] == pytest.approx(expected)
        assert own["high"] - own["low"] > 2 * 1.9 * 0.2


def test_backscatter_is_not_extrapolated() -> None:
    params = replace(PLAIN, calibrations=(from_toml(CALIBRATION),))
    rows = measure(scan(np.full(SHAPE, 150)), drawn(), params=params)
    assert value(rows, "echogenicity_backscatter")["absent"] == "out_of_domain"


def test_calibrations_read_from_csv_too() -> None:
    text = "device,preset,gain_db,db,grey\nd,p,1,-6,40\nd,p,1,6,90\n"
    made = from_csv(text)
    assert made.settings == {"gain_db": 1.0}
    assert made.grey_map.grey.tolist() == [40.0, 90.0]


def test_every_fault_of_a_calibration_is_told() -> None:
    with pytest.raises(NotReadable, match="no TOML"):
        from_toml("device = ")
    with pytest.raises(InvalidInput, match=r"not brighter(.|\n)*not brighter"):
        from_toml('device="d"\npreset="p"\ntarget=[{db=0,grey=50},{db=3,grey=50},{db=6,grey=20}]')
    with pytest.raises(InvalidInput, match="did you mean 'preset'"):
        from_toml('device="d"\npresset="p"\ntarget=[{db=0,grey=50},{db=3,grey=60}]')


def test_texture_is_that_of_the_region_alone() -> None:
    grey = noise()
    other = grey.copy()
    other[:30] = 0
    params = replace(PLAIN, texture=("statistics", "glcm"))
    rows, again = (measure(scan(image), drawn(), params=params) for image in (grey, other))
    both = [r[(r["site"] == "vastus_lateralis")].reset_index(drop=True) for r in (rows, again)]
    pd.testing.assert_frame_equal(*both)
    assert value(rows, "intensity_mean")["value"] == pytest.approx(grey[30:90].mean())
    contrast = value(rows, "glcm_contrast", method="echogenicity:whole:fbs8:2d_slice_merged")["value"]
    # Independent uniform levels from 20 to 119 in bins of 8: twice the variance of the bin number.
    bins = grey[30:90] // 8 + 1
    assert contrast == pytest.approx(2 * bins.var(), rel=0.05)
    assert "glcm_contrast" not in set(rows.loc[rows["site"] == "subcutaneous_fat", "measure"])


def test_bone_echo_is_the_line_below_the_muscle() -> None:
    grey = np.full(SHAPE, 50)
    grey[100:104] = 210
    regions = replace(drawn(), names={2: ("brachialis", "left")})
    own = value(measure(scan(grey), regions, params=PLAIN), "bone_echo", site="brachialis")
    assert own["value"] == pytest.approx(160)
    dark = value(measure(scan(np.full(SHAPE, 50)), regions, params=PLAIN), "bone_echo", site="brachialis")
    assert dark["value"] == pytest.approx(0)


def test_bad_inputs_are_refused_together() -> None:
    colour = replace(scan(noise()), payload=Picture(np.zeros((1, 50, 60, 3), np.uint8), None))
    with pytest.raises(InvalidInput, match=r"3 bands(.|\n)*shape"):
        measure(colour, drawn())
    with pytest.raises(InvalidInput, match=r"rules has no 'all'(.|\n)*inset"):
        measure(scan(noise()), drawn(), params=Params(rules=("all",), inset=0.7))


def test_inputs_stay_as_they_are() -> None:
    image, regions = scan(noise()), drawn()
    before = digest_arrays(image.payload.pixels, regions.labels)
    measure(image, regions)
    assert digest_arrays(image.payload.pixels, regions.labels) == before
