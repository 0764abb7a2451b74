"""Morphology: analytic shapes, sums over pairs done the long way, and what a turn must not change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from myoproof.numerics.ibsi_shape import autocorrelation, ellipsoid_area, morphology


def test_moran_and_geary_equal_the_sums_over_all_pairs() -> None:
    rng = np.random.default_rng(3)
    mask, values, spacing = rng.random((7, 6, 5)) > 0.4, rng.normal(size=(7, 6, 5)), np.array([1.0, 1.5, 4.0])
    away = squareform(pdist(np.argwhere(mask) * spacing))
    weight = np.divide(1.0, away, out=np.zeros_like(away), where=away > 0)
    x = values[mask]
    y, n = x - x.mean(), mask.sum()
    moran = n / weight.sum() * (y @ weight @ y) / (y @ y)
    geary = (n - 1) / (2 * weight.sum()) * (weight * (x[:, None] - x) ** 2).sum() / (y @ y)
    assert autocorrelation(values, mask, spacing) == pytest.approx((moran, geary))


def test_a_region_of_one_value_has_no_autocorrelation() -> None:
    mask = np.ones((3, 3, 3), dtype=bool)
    assert np.isnan(autocorrelation(np.full(mask.shape, 2.0), mask, np.ones(3))).all()


@pytest.mark.parametrize("half", [(5.0, 3.0, 3.0), (5.0, 5.0, 2.0), (6.0, 4.0, 3.0)])
def test_the_area_of_an_ellipsoid_is_the_series_of_the_standard(half) -> None:
    """IBSI reference manual 3.1.22, summed by the recurrence of Legendre polynomials."""
    a, b, c = half
    alpha, beta = np.sqrt(1 - b**2 / a**2), np.sqrt(1 - c**2 / a**2)
    # q_n = (alpha beta)^n P_n: (n + 1) q_(n+1) = (2 n + 1) h q_n - n (alpha beta)^2 q_(n-1)
    h, square = (alpha**2 + beta**2) / 2, (alpha * beta) ** 2
    terms = [1.0, h]
    for n in range(1, 20):
        terms.append(((2 * n + 1) * h * terms[n] - n * square * terms[n - 1]) / (n + 1))
    wanted = 4 * np.pi * a * b * sum(term / (1 - 4 * n**2) for n, term in enumerate(terms))
    assert ellipsoid_area(np.array(half)) == pytest.approx(wanted)
    assert ellipsoid_area(np.full(3, a)) == pytest.approx(4 * np.pi * a**2)


def test_a_ball_is_round_and_a_rod_is_long() -> None:
    far = np.linalg.norm(np.indices((31, 31, 31)) - 15.0, axis=0)
    ball = morphology(far <= 12, np.ones(3), far)
    assert ball["morphology_maximum_diameter"] == pytest.approx(25, abs=1)
    assert ball["morphology_flatness"] == pytest.approx(1.0)
    assert ball["morphology_centre_of_mass_shift"] == pytest.approx(0.0, abs=1e-9)
    assert ball["morphology_volume_density_ellipsoid"] == pytest.approx(
        1.25**1.5, rel=0.01
    )  # 2 SD of a ball: its radius / sqrt(5 / 4)
    rod = morphology(np.ones((20, 2, 2), dtype=bool), np.array([2.0, 1.0, 1.0]))
    assert rod["morphology_major_axis_length"] == pytest.approx(4 * 2 * np.sqrt((20**2 - 1) / 12), rel=0.01)
    assert rod["morphology_elongation"] == pytest.approx(rod["morphology_flatness"])
    assert "morphology_moran_index" not in rod


@given(st.integers(0, 2**32 - 1), st.permutations([0, 1, 2]), st.booleans())
@settings(max_examples=20, deadline=None)
def test_no_feature_depends_on_how_the_image_lies(seed, order, flip) -> None:
    rng = np.random.default_rng(seed)
    mask, values, spacing = rng.random((5, 6, 4)) > 0.4, rng.random((5, 6, 4)), np.array([1.0, 1.5, 3.0])
    step = -1 if flip else 1
    turned = morphology(mask.transpose(order)[::step], spacing[list(order)], values.transpose(order)[::step])
    straight = morphology(mask, spacing, values)
    assert set(turned) == set(straight)
    # the surface's area alone: where two ways of filling a ring hold as much, spacings decide between their areas
    area = {
        name for name in straight if "surface" in name or "area" in name or "comp" in name or "spher" in name
    }
    for name in set(straight) - area:
        assert turned[name] == pytest.approx(straight[name], rel=1e-9), name


def test_an_empty_region_is_refused_and_intensity_counts_where_it_is_known() -> None:
    with pytest.raises(ValueError, match="empty"):
        morphology(np.zeros((2, 2, 2), dtype=bool), np.ones(3))
    mask, values = np.ones((4, 4, 4), dtype=bool), np.ones((4, 4, 4))
    inside = mask.copy()
    inside[:2] = False
    found = morphology(mask, np.ones(3), values, inside)
    assert found["morphology_centre_of_mass_shift"] == pytest.approx(1.0)
    assert found["morphology_integrated_intensity"] == pytest.approx(found["morphology_volume_mesh"])
