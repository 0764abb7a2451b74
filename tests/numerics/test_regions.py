"""Moving borders: discs of known area, gradients of linear fields, and Green's theorem."""

import numpy as np
import pytest

from myoproof.numerics.regions import border_sums, signed_distance_mm

SPACING = (0.5, 0.5)
OFFSETS = np.linspace(-2.0, 2.0, 9)


def disc(radius: float, spacing=SPACING, half=30.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.arange(-half, half, spacing[0])[:, None] + 0.13
    y = np.arange(-half, half, spacing[1])[None, :] - 0.21
    return np.hypot(x, y) < radius, x, y


def test_distance_of_a_disc_is_radius_minus_range() -> None:
    mask, x, y = disc(15.0)
    exact = np.hypot(x, y) - 15.0
    near = np.abs(exact) < 5
    assert np.abs(signed_distance_mm(mask, SPACING) - exact)[near].max() < 0.5
    assert abs((signed_distance_mm(mask, SPACING) - exact)[near].mean()) < 0.1


def test_a_mask_without_outside_has_no_border() -> None:
    assert np.isneginf(signed_distance_mm(np.ones((3, 3), bool), SPACING)).all()


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.4, 0.7)])
def test_area_of_a_grown_disc(spacing: tuple[float, float]) -> None:
    mask, _, _ = disc(15.0, spacing)
    sums = border_sums(mask[:, :, None], np.ones((1, *mask.shape, 1)), spacing, OFFSETS)
    area = sums.moved[:, 0, 0] * spacing[0] * spacing[1]
    np.testing.assert_allclose(area, np.pi * (15.0 + OFFSETS) ** 2, rtol=0.012)
    assert sums.base[0, 0] == mask.sum()
    assert sums.moved[4, 0, 0] == pytest.approx(mask.sum())


def test_a_shrunk_region_can_vanish_and_slices_are_apart() -> None:
    small, _, _ = disc(1.2)
    stack = np.stack([small, np.zeros_like(small)], axis=2)
    sums = border_sums(stack, np.ones((1, *stack.shape)), SPACING, OFFSETS)
    assert sums.moved[0, 0, 0] == pytest.approx(0.0, abs=1e-9)
    assert (sums.moved[:, 1] == 0).all()
    assert (sums.border[1] == 0).all()


def test_border_products_are_integrals_along_the_circle() -> None:
    mask, x, y = disc(15.0)
    fields = np.stack([np.ones(mask.shape), np.broadcast_to(x, mask.shape), np.broadcast_to(y, mask.shape)])[
        ..., None
    ]
    pixel = SPACING[0] * SPACING[1]
    found = border_sums(mask[:, :, None], fields, SPACING, OFFSETS).border[0] * pixel**2
    length = 2 * np.pi * 15.0
    # Integrals over the circle of 1, x^2 and y^2: length, and length * r^2 / 2 each; odd products vanish.
    np.testing.assert_allclose(np.diag(found), [length, length * 112.5, length * 112.5], rtol=0.03)
    assert np.abs(found[0, 1:]).max() < 0.02 * length * 15


def test_roughness_covariance_matches_random_wobbles() -> None:
    """A disc redrawn with Gaussian wobbles of known SD and correlation: the SD of its area is foretold."""
    rng, radius, sd, length = np.random.default_rng(5), 15.0, 0.5, 8.0
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    apart = np.minimum(np.abs(angle[:, None] - angle), 2 * np.pi - np.abs(angle[:, None] - angle)) * radius
    # A Gaussian correlation of scale l has the integral l sqrt(2 pi).
    root = np.linalg.cholesky(
        np.exp(-0.5 * (apart / (length / np.sqrt(2 * np.pi))) ** 2) + 1e-9 * np.eye(720)
    )
    wobble = radius + sd * (root @ rng.normal(size=(720, 4000)))
    areas = 0.5 * (wobble**2).sum(axis=0) * (2 * np.pi / 720)
    mask, _, _ = disc(radius)
    border = border_sums(mask[:, :, None], np.ones((1, *mask.shape, 1)), SPACING, OFFSETS).border[0, 0, 0]
    foretold = np.sqrt(sd**2 * length * border) * SPACING[0] * SPACING[1]
    assert foretold == pytest.approx(areas.std(), rel=0.05)
