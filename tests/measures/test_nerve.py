"""Nerve measures: areas of known masks, what a scale changes, intervals, flags and absent rows."""

from dataclasses import replace

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Form, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import validate
from myoproof.errors import InvalidInput
from myoproof.measures import nerve
from myoproof.phantoms.bmode import Simulated, frame
from myoproof.phantoms.bmode_scene import BmodeParams


@pytest.fixture(scope="module")
def scan() -> Simulated:
    params = BmodeParams(view="nerve", site="tibial_ankle", shape=(384, 384))
    return frame(rng=np.random.default_rng(12), params=params)


def drawn(labels: np.ndarray, confidence: dict[int, float] | None = None) -> Segmentation:
    names = {1: ("median_wrist", "left"), 2: ("vessel", "")}
    return Segmentation(labels.astype(np.uint16), np.eye(4), names, "reader", confidence or {})


def image(
    shape: tuple[int, ...] = (1, 100, 120), spacing: tuple[float, float] | None = (0.1, 0.2)
) -> Acquisition:
    pixels = np.full((*shape, 1), 90, np.uint8)
    return Acquisition("s", "m00", "1", "ultrasound", Picture(pixels, spacing, "user" if spacing else ""))


def squares(frames: int = 1) -> np.ndarray:
    labels = np.zeros((frames, 100, 120))
    labels[:, 20:40, 30:60] = 1
    labels[:, 60:70, 30:40] = 1
    labels[:, 50:60, 80:100] = 2
    return labels


def value(rows, measure: str, at: str = "") -> float:
    own = rows[(rows["measure"] == measure) & (rows["at"] == at)]
    assert len(own) == 1
    return float(own["value"].iloc[0])


def test_the_truth_of_simulated_nerves_is_recovered(scan: Simulated) -> None:
    rows = nerve.measure(scan.acquisition, scan.segmentation)
    truth = scan.rows.set_index("measure")["value"]
    for measure in ("nerve_cross_sectional_area", "vessel_cross_sectional_area"):
        assert value(rows, measure) == pytest.approx(truth[measure], rel=0.01)
    ratio = rows[rows["measure"] == "nerve_fascicle_ratio"].iloc[0]
    assert ratio["low"] < truth["nerve_fascicle_ratio"] < ratio["high"]


def test_areas_shares_and_pieces_of_a_drawing() -> None:
    rows = validate(nerve.measure(image(), drawn(squares())))
    assert value(rows, "nerve_cross_sectional_area") == pytest.approx(700 * 0.02)
    assert value(rows, "vessel_cross_sectional_area") == pytest.approx(200 * 0.02)
    assert value(rows, "nerve_area_share") == pytest.approx(700 / 12000)
    assert value(rows, "nerve_count") == 2
    assert rows["low"].notna().sum() == 1, "of a drawing only the fascicle ratio has an interval"
    assert set(rows["quality"]) == {"ok"}


def test_without_a_scale_areas_are_pixels_and_say_so() -> None:
    rows = nerve.measure(image(spacing=None), drawn(squares()))
    area = rows[rows["measure"] == "nerve_cross_sectional_area"].iloc[0]
    assert (area["value"], area["unit"], area["flags"]) == (700, "px2", "uncalibrated")


def test_only_tissue_counts_as_view() -> None:
    scan = image()
    tissue = np.zeros((100, 120), bool)
    tissue[:, :70] = True
    seen = replace(scan, payload=replace(scan.payload, tissue=tissue))
    assert value(nerve.measure(seen, drawn(squares())), "nerve_area_share") == pytest.approx(0.1)


def test_intervals_widen_as_confidence_falls() -> None:
    widths = []
    for confidence in (0.9, 0.6, 0.3):
        rows = nerve.measure(image(), drawn(squares(), {1: confidence, 2: confidence}))
        own = rows[rows["measure"] == "nerve_cross_sectional_area"].iloc[0]
        assert own["low"] < own["value"] < own["high"]
        widths.append(own["high"] / own["low"])
    assert widths == sorted(widths)
    assert (own["quality"], own["flags"]) == ("warn", "low_confidence")


def test_outside_the_training_domain_rows_fail_without_intervals_of_area() -> None:
    params = nerve.Params(flags=("outside_training_domain",))
    rows = nerve.measure(image(), drawn(squares(), {1: 0.0, 2: 0.0}), params=params)
    assert set(rows["quality"]) == {"fail"}
    assert all("outside_training_domain" in flags for flags in rows["flags"])
    assert rows.loc[rows["measure"].str.endswith("area"), "low"].isna().all()


def test_frames_of_a_cine_are_rows_and_their_mean_too() -> None:
    labels = squares(2)
    labels[1, 20:40, 30:40] = 0
    rows = nerve.measure(image((2, 100, 120)), drawn(labels))
    assert value(rows, "nerve_cross_sectional_area", "image:2") == pytest.approx(500 * 0.02)
    assert value(rows, "nerve_cross_sectional_area") == pytest.approx(600 * 0.02)


def test_a_region_not_drawn_is_absent_with_its_reason() -> None:
    labels = squares()
    labels[labels == 2] = 0
    rows = nerve.measure(image(), drawn(labels))
    gone = rows[rows["site"] == "vessel"]
    assert set(gone["absent"]) == {"empty_label"}
    assert rows.loc[rows["site"] != "vessel", "value"].notna().all()


def test_a_region_cut_by_the_image_is_flagged() -> None:
    labels = squares()
    labels[:, 20:40, :60] = 1
    rows = nerve.measure(image(), drawn(labels))
    own = rows[rows["measure"] == "nerve_cross_sectional_area"].iloc[0]
    assert (own["flags"], own["quality"]) == ("field_of_view_truncated", "warn")


def test_a_tiny_nerve_has_no_fascicles() -> None:
    labels = np.zeros((1, 100, 120))
    labels[:, 10:15, 10:15] = 1
    rows = nerve.measure(image(), drawn(labels))
    own = rows[rows["measure"] == "nerve_fascicle_ratio"].iloc[0]
    assert own["absent"] == "insufficient_data"


@pytest.mark.parametrize(
    ("payload", "labels", "text"),
    [(Form({}), np.zeros((1, 3, 3)), "needs a picture"), (None, np.zeros((1, 9, 9)), "mask of shape")],
)
def test_what_does_not_fit_is_refused(payload, labels: np.ndarray, text: str) -> None:
    scan = image() if payload is None else replace(image(), payload=payload)
    with pytest.raises(InvalidInput, match=text):
        nerve.measure(scan, drawn(labels))
