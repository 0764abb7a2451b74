"""Aponeurosis edges, pairs and inner edges on images whose truth is known."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.errors import InvalidInput
from myoproof.numerics.aponeuroses import SAME, Chooser, Member, choose, chooser_from
from myoproof.numerics.aponeuroses_edges import SLOPES, WORK_ROWS, edges, prepare
from myoproof.numerics.aponeuroses_fat import band_thickness
from myoproof.numerics.aponeuroses_inner import refine
from myoproof.numerics.aponeuroses_pairs import NAMES, Pairs, pairs

SHAPE = (320, 400)


def two_bands(
    top: float = 60, bottom: float = 230, slope: float = 0.05, angle_deg: float = 20, seed: int = 1
) -> npt.NDArray[np.uint8]:
    """Dark muscle with streaks rising to the right between two bright bands; edges at `top` and `bottom` on the left."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    upper, lower = top + slope * cols, bottom + slope * cols
    image = 70 + 12 * rng.normal(size=SHAPE)
    along = cv2.GaussianBlur(rng.normal(size=(800, 1)), (0, 0), sigmaX=0.01, sigmaY=2.5)[:, 0]
    across = (rows + np.tan(np.radians(angle_deg)) * cols).astype(int) % 800
    muscle = (rows > upper) & (rows < lower)
    image[muscle] += 90 * np.maximum(along[across][muscle] / along.std(), 0)
    image[(rows <= upper) & (rows > upper - 9)] = 210
    image[(rows >= lower) & (rows < lower + 9)] = 200
    return np.clip(cv2.GaussianBlur(image, (0, 0), 1.0), 0, 255).astype(np.uint8)


def test_both_edges_are_among_the_first_candidates_to_a_pixel() -> None:
    upper, lower = edges(prepare(two_bands()))
    nodes = upper.rows.shape[1]
    cols = (np.arange(nodes) + 0.5) / nodes * SHAPE[1] - 0.5
    assert np.abs(upper.rows[:4] - (60 + 0.05 * cols)).mean(axis=1).min() < 1.0
    assert np.abs(lower.rows[:4] - (230 + 0.05 * cols)).mean(axis=1).min() < 1.0


def test_streaks_between_the_edges_tilt_and_those_outside_do_not() -> None:
    work = prepare(two_bands(angle_deg=25))
    found = pairs(work, *edges(work))
    right = np.abs(found.upper.mean(axis=1) - 70) + np.abs(found.lower.mean(axis=1) - 240)
    features = dict(zip(NAMES, found.features[right.argmin()], strict=True))
    assert features["tilt"] > 0.15
    assert features["tilt_weakest"] > 0.1
    assert abs(features["tilt_under"]) < 0.1
    assert features["cover_upper"] > 0.9
    assert features["cover_lower"] > 0.9


@pytest.mark.parametrize("angle_deg", [15.0, 35.0])
def test_a_mirrored_image_gives_mirrored_pairs_and_the_same_features(angle_deg: float) -> None:
    image = two_bands(angle_deg=angle_deg)
    here, there = prepare(image), prepare(np.ascontiguousarray(image[:, ::-1]))
    mine, other = pairs(here, *edges(here)), pairs(there, *edges(there))
    truth = 70 + 240
    k = np.abs(mine.upper.mean(axis=1) + mine.lower.mean(axis=1) - truth).argmin()
    m = np.abs(other.upper.mean(axis=1) + other.lower.mean(axis=1) - truth).argmin()
    assert mine.rises[k] == 1
    assert other.rises[m] == -1
    assert np.abs(mine.upper[k] - other.upper[m][::-1])[6:-6].max() < 1.5
    assert dict(zip(NAMES, mine.features[k], strict=True))["tilt"] == pytest.approx(
        dict(zip(NAMES, other.features[m], strict=True))["tilt"], abs=0.02
    )


@settings(max_examples=12, deadline=None)
@given(st.floats(-1.5, 1.5), st.booleans(), st.floats(0.8, 2.0))
def test_the_inner_edge_is_found_well_within_a_pixel(shift: float, below: bool, blur: float) -> None:
    rows = np.arange(120, dtype=float)[:, None] * np.ones((1, 160))
    edge = 60.3 + 0.02 * np.arange(160)
    grey = np.where((rows > edge) == below, 180.0, 60.0)
    soft = cv2.GaussianBlur(cv2.resize(grey, None, fx=1, fy=1), (0, 0), blur).astype(np.uint8)
    found = refine(soft, edge + shift, bright_below=below, scale=1.0)
    assert np.abs(found - edge)[10:-10].max() < 0.9
    assert np.abs(found - edge)[10:-10].mean() < 0.65


def test_a_uniform_image_has_no_pairs_and_holes_make_no_edges() -> None:
    flat = np.full(SHAPE, 90, np.uint8)
    work = prepare(flat)
    assert pairs(work, *edges(work)).features.shape == (0, len(NAMES))
    tissue = np.ones(SHAPE, bool)
    tissue[:, :80] = tissue[:, -80:] = False
    image = two_bands()
    image[~tissue] = 0
    upper, lower = edges(prepare(image, tissue))
    assert len(upper.rows)
    assert len(lower.rows)
    assert np.all(upper.strength[:, :15] <= 0)


def test_the_band_above_an_edge_is_as_thick_as_drawn() -> None:
    image = two_bands(slope=0.0)
    assert band_thickness(image, np.full(SHAPE[1], 60.0), scale=1.0) == pytest.approx(9, abs=1.5)


def chooser(intercept: float = 0.0) -> Chooser:
    one = Member(intercept, np.eye(len(NAMES))[0], np.zeros((len(NAMES), 1)), np.zeros(1), np.zeros(1))
    return Chooser((one,), np.zeros(len(NAMES)), np.ones(len(NAMES)))


def test_confidence_adds_up_over_pairs_that_say_the_same() -> None:
    upper = np.array([[50.0] * 8, [51.0] * 8, [120.0] * 8])
    lower = np.array([[250.0] * 8, [250.0] * 8, [250.0] * 8])
    features = np.zeros((3, len(NAMES)))
    best, confidence = choose(Pairs(upper, lower, upper, lower, np.ones(3), features), chooser())
    assert best in {0, 1}
    assert SAME * 200 > 1
    assert confidence == pytest.approx(2 / 4)  # three pairs and none, all as likely


def test_a_low_score_is_no_muscle() -> None:
    rows = np.array([[50.0] * 8])
    found = Pairs(rows, rows + 150, rows, rows, np.ones(1), np.zeros((1, len(NAMES))))
    assert choose(found, chooser(-5.0))[1] == pytest.approx(1 / (1 + np.exp(5.0)))


def test_weights_of_other_features_are_refused() -> None:
    with pytest.raises(InvalidInput, match="other features"):
        chooser_from({"names": ["a"], "mean": [0], "sd": [1], "inside": 0, "members": []})
    with pytest.raises(InvalidInput, match="shape"):
        Chooser((), np.zeros(3), np.ones(3))


def test_slopes_reach_fourteen_degrees_both_ways() -> None:
    assert np.degrees(np.arctan(SLOPES)).min() < -14
    assert np.degrees(np.arctan(SLOPES)).max() > 14
    assert prepare(two_bands()).image.shape[0] == WORK_ROWS
