"""Fascicle direction: exact on stripes, not drawn by speckle, mirror-true, silent where nothing leans."""

import numpy as np
import numpy.typing as npt
import pytest

from myoproof.numerics.fascicles import NOTHING, FascicleFit, dominant_angle, half_width, trust
from myoproof.numerics.fascicles_peak import Peak, dominant
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams

Images = npt.NDArray[np.float32]
SHAPE = (180, 260)
WHOLE = np.ones(SHAPE, dtype=bool)


def stripes(angle_deg: float, period_px: float = 11.0) -> Images:
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    angle = np.radians(angle_deg)
    phase = (cols * np.sin(angle) + rows * np.cos(angle)) * 2 * np.pi / period_px
    return (100 + 40 * np.cos(phase)).astype(np.float32)


def speckle(seed: int) -> Images:
    """Log-compressed speckle three times as wide as high, as of a linear probe."""
    field = np.random.default_rng(seed).standard_normal((*SHAPE, 2)) @ np.array([1, 1j])
    down, right = np.fft.fftfreq(SHAPE[0])[:, None], np.fft.fftfreq(SHAPE[1])[None]
    blur = np.exp(-2 * np.pi**2 * ((1.5 * down) ** 2 + (4.5 * right) ** 2))
    echo = np.abs(np.fft.ifft2(np.fft.fft2(field) * blur))
    return np.clip(60 + 20 * np.log10(echo / echo.mean()) * 3, 0, 255).astype(np.float32)


@pytest.mark.parametrize("angle", [3.0, 9.0, 17.5, 26.0, 45.0, 58.0])
def test_the_angle_of_stripes_is_exact(angle: float) -> None:
    fit = dominant_angle(stripes(angle), WHOLE)
    assert fit.angle_deg == pytest.approx(angle, abs=0.15)
    assert fit.confidence > 0.9
    assert abs(fit.turn_deg) < 0.5


def test_a_mirrored_image_has_the_mirrored_angle() -> None:
    image = stripes(21.0) + speckle(1)
    there, back = dominant_angle(image, WHOLE), dominant_angle(image[:, ::-1].copy(), WHOLE)
    assert back.angle_deg == pytest.approx(-there.angle_deg, abs=0.05)


def test_size_and_contrast_change_no_angle() -> None:
    image = stripes(15.0, 12.0)
    large = np.kron(image, np.ones((2, 2), dtype=np.float32))
    fit = dominant_angle(image, WHOLE).angle_deg
    assert dominant_angle(large, np.ones(large.shape, dtype=bool)).angle_deg == pytest.approx(fit, abs=0.2)
    assert dominant_angle(image * 0.5 + 7, WHOLE).angle_deg == pytest.approx(fit, abs=1e-3)


@pytest.mark.parametrize("angle", [8.0, 16.0, 30.0])
def test_wide_speckle_does_not_draw_the_angle_to_the_horizontal(angle: float) -> None:
    image = speckle(2) + 0.35 * stripes(angle)
    assert dominant_angle(image, WHOLE).angle_deg == pytest.approx(angle, abs=0.6)


def test_speckle_alone_is_not_trusted_as_stripes_are() -> None:
    alone = [dominant_angle(speckle(seed), WHOLE) for seed in range(4)]
    lined = dominant_angle(stripes(20.0) + speckle(9), WHOLE)
    assert max(fit.share for fit in alone) < 0.15 < lined.share
    assert np.mean([fit.confidence for fit in alone]) < 0.5
    assert lined.confidence > 0.95


def test_regions_too_small_tell_nothing() -> None:
    small = np.zeros(SHAPE, dtype=bool)
    small[50:60, 40:200] = True
    assert dominant_angle(stripes(20.0), small) is NOTHING
    assert dominant_angle(stripes(20.0), np.zeros(SHAPE, dtype=bool)) is NOTHING
    assert np.isnan(NOTHING.angle_deg)
    assert NOTHING.confidence == 0.0


def test_an_even_region_tells_nothing() -> None:
    fit = dominant_angle(np.full(SHAPE, 80, dtype=np.float32), WHOLE)
    assert isinstance(fit, FascicleFit)
    assert fit.confidence < 0.5


def test_inputs_stay_as_they_are() -> None:
    image, region = stripes(20.0), WHOLE.copy()
    before = image.copy(), region.copy()
    dominant_angle(image, region)
    assert np.array_equal(image, before[0])
    assert np.array_equal(region, before[1])


def test_what_is_symmetric_is_taken_off() -> None:
    rng = np.random.default_rng(4)
    noise, lines = rng.normal(0.0, 12.0, 20000), rng.normal(14.0, 3.0, 3000)
    peak = dominant(np.concatenate([noise, lines]), np.ones(23000), 72.0)
    assert peak.angle_deg == pytest.approx(14.0, abs=0.6)
    assert peak.share < 0.3


@pytest.mark.parametrize("angle", [5.0, 8.0])
def test_a_peak_beside_its_mirror_image_is_put_back(angle: float) -> None:
    lines = np.random.default_rng(5).normal(angle, 4.0, 60000)
    assert dominant(lines, np.ones(lines.size), 72.0).angle_deg == pytest.approx(angle, abs=1.0)


def test_trust_grows_with_the_share_and_falls_with_a_rival() -> None:
    assert (
        trust(Peak(10.0, 3.0, 0.5, 0.1))
        > trust(Peak(10.0, 3.0, 0.05, 0.1))
        > trust(Peak(10.0, 3.0, 0.05, 0.9))
    )
    assert half_width(0.5, 3.0) < half_width(0.1, 3.0)
    assert half_width(0.5, 3.0) < half_width(0.5, 5.0)


def test_the_angle_of_simulated_muscles_is_found_within_a_degree() -> None:
    errors = []
    for seed, device in enumerate("abcd"):
        scan = frame(rng=np.random.default_rng(seed), params=BmodeParams(device=f"device-{device}"))
        image = scan.acquisition.payload.pixels[0, :, :, 0].astype(np.float32)  # type: ignore[union-attr]
        fit = dominant_angle(image, scan.segmentation.labels[0] == 2)
        rows = scan.rows.set_index("measure")["value"]
        errors.append(abs(fit.angle_deg) - rows["fascicle_angle"])
    assert np.max(np.abs(errors)) < 1.0
