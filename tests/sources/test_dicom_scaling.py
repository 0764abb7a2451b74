"""Units: phase in radians whatever the scale, maps in their unit, wrong scales named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import GE, PHILIPS, SIEMENS

from myoproof.errors import InvalidInput
from myoproof.sources import dicom
from myoproof.sources.dicom_scaling import phase_scale, rate_from_time, to_unit


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize(
    ("vendor", "low", "high", "to_radians"),
    [
        ("siemens", -4096, 4094, lambda v: v * np.pi / 4096),
        ("siemens", 0, 4095, lambda v: (v - 2048) * np.pi / 2048),
        ("philips", -3142, 3141.2, lambda v: v / 1000),
        ("ge", -3141, 3141, lambda v: v / 1000),
    ],
)
def test_each_vendors_scale_is_taken_without_remark(vendor, low, high, to_radians) -> None:
    scale, findings = phase_scale(low, high, vendor, where="x")
    assert not findings
    for value in (low, 0.3 * low + 0.7 * high, high):
        assert (value - scale.middle) * scale.radians == pytest.approx(to_radians(value), abs=1e-3)


@pytest.mark.parametrize(
    ("vendor", "low", "high", "name"),
    [
        ("siemens", -3142, 3142, "milliradians"),
        ("siemens", -np.pi, np.pi, "radians"),
        ("philips", -np.pi, np.pi, "radians"),
        ("ge", 0, 4095, "0 to 4095"),
        ("ge", -180, 180, "degrees"),
        ("philips", 0, 2 * np.pi, "radians from 0"),
        ("siemens", 0, 360, "degrees from 0"),
    ],
)
def test_a_wrong_scale_is_told_by_its_range_and_named(vendor, low, high, name) -> None:
    scale, findings = phase_scale(low, high, vendor, where="series 3")
    assert scale.name == name
    assert [finding.level for finding in findings] == ["warning"]
    assert name in findings[0].message
    assert findings[0].where == "series 3"


def test_an_unknown_scale_is_an_error() -> None:
    _, findings = phase_scale(-30000, 30000, "siemens", where="x")
    assert [finding.level for finding in findings] == ["error"]


def test_a_masked_phase_of_little_span_keeps_the_vendors_scale_with_a_remark() -> None:
    scale, findings = phase_scale(-700, 650, "siemens", where="x")
    assert scale.name == "-4096 to 4095"
    assert "16% of the circle" in findings[0].message


@pytest.mark.parametrize(
    ("unit", "factor", "remarks"),
    [
        ("%", 100, 0),
        ("1", 1, 0),
        ("0.1%", 1000, 0),
        ("", 100, 1),
        ("us", 1000, 1),
        ("normalized", 1, 1),
        ("%", 1000, 1),
    ],
)
def test_vendor_fat_fractions(rng, unit, factor, remarks) -> None:
    truth = np.clip(rng.uniform(-0.02, 1.02, (9, 8, 7)), 0, 1).astype(np.float32)
    values, findings = to_unit(truth * factor, "fat_fraction", unit, where="x")
    np.testing.assert_allclose(values, truth, rtol=1e-5)
    assert len(findings) == remarks


def test_a_fat_fraction_that_is_none_is_an_error() -> None:
    _, findings = to_unit(np.full((2, 2, 2), 3e4, np.float32), "fat_fraction", "%", where="x")
    assert findings[0].level == "error"


@pytest.mark.parametrize(("unit", "factor"), [("1/s", 1.0), ("Hz", 1.0), ("1/ms", 1e3)])
def test_vendor_rates(unit, factor) -> None:
    values, findings = to_unit(np.full((2, 2, 2), 0.5, np.float32), "r2star", unit.lower(), where="x")
    assert values.max() == pytest.approx(0.5 * factor)
    assert not findings


@given(st.floats(0.5, 500))
def test_rate_and_time_are_reciprocal(time_ms) -> None:
    out = rate_from_time(np.array([[[time_ms, 0.0, -3.0]]], np.float32))
    assert out[0, 0, 0] == pytest.approx(1000 / time_ms, rel=1e-5)
    assert not out[0, 0, 1:].any()


def test_maps_by_real_world_mapping_and_by_rescale(tmp_path, rng) -> None:
    """The real world value wins over the display value; T2* becomes R2*."""
    fraction, rate, time = (make.whole(rng) for _ in range(3))
    parts = [
        make.Part(
            fraction,
            ("DERIVED", "PRIMARY", "DIXON", "FAT_FRACTION"),
            rescale=(1.0, 0.0),
            world=(100 / 4095, 0.0, "%"),
        ),
        make.Part(rate, ("DERIVED", "PRIMARY", "DIXON", "R2_STAR_MAP"), world=(0.25, 0.0, "1/s")),
    ]
    make.enhanced(tmp_path / "a" / "x", parts, PHILIPS)
    (scan,) = dicom.scan_folder(tmp_path / "a").series
    channels = dicom.read_series(scan).payload.channels
    np.testing.assert_allclose(channels["fat_fraction"], fraction / 4095, rtol=1e-5)
    np.testing.assert_allclose(channels["r2star"], rate / 4, rtol=1e-5)

    look = PHILIPS.but(
        image_type=("DERIVED", "PRIMARY", "T2_STAR", "T2_STAR", "DERIVED"),
        tags={"RescaleSlope": 0.02, "RescaleIntercept": 0.0, "RescaleType": "ms"},
    )
    make.classic(tmp_path / "b", time, look)
    (scan,) = dicom.scan_folder(tmp_path / "b").series
    assert scan.channels == ("r2star",)
    expected = np.divide(1000, time * 0.02, out=np.zeros(time.shape), where=time > 0)
    np.testing.assert_allclose(dicom.read_series(scan).payload.channels["r2star"], expected, rtol=1e-4)


def test_a_weighting_is_no_map(tmp_path, rng) -> None:
    """T2 and T2_STAR in an original image say how it is weighted (PS3.3 C.8.13.3.1.1)."""
    look = SIEMENS.but(image_type=("ORIGINAL", "PRIMARY", "T2_STAR", "NONE"), tags={"EchoTime": 20.0})
    make.classic(tmp_path, make.whole(rng), look)
    (scan,) = dicom.scan_folder(tmp_path).series
    assert scan.kind == "single"


def test_wrongly_scaled_phase_is_read_and_named(tmp_path, rng) -> None:
    """GE phase exported in 12 bits without sign: right values, and a warning that says so."""
    truth = []
    for time in (1.0, 2.0, 3.0):
        magnitude, phase = make.whole(rng), make.whole(rng)
        for code, values in ((0, magnitude), (1, phase)):
            look = GE.but(number=4, tags={"EchoTime": time, **make.ge_part(code)})
            make.classic(tmp_path, values, look, word=f"{time}{code}")
        truth.append(magnitude * np.exp(1j * (phase - 2048) * np.pi / 2048))
    (scan,) = dicom.scan_folder(tmp_path).series
    reading = dicom.read(scan)
    np.testing.assert_allclose(reading.acquisition.payload.values, np.stack(truth, -1), atol=2e-2)
    assert [(finding.category, finding.level) for finding in reading.findings] == [("phase scale", "warning")]


def test_phase_that_no_scale_fits_is_refused(tmp_path, rng) -> None:
    for time in (1.0, 2.0):
        make.classic(tmp_path, make.whole(rng), SIEMENS.but(tags={"EchoTime": time}), word=f"m{time}")
        look = SIEMENS.but(
            number=2, image_type=("ORIGINAL", "PRIMARY", "P"), tags={"EchoTime": time, "RescaleSlope": 40}
        )
        make.classic(tmp_path, make.whole(rng), look, word=f"p{time}")
    (scan,) = dicom.scan_folder(tmp_path).series
    with pytest.raises(InvalidInput, match="no known scale"):
        dicom.read_series(scan)


def test_the_field_is_told_by_the_frequency_where_it_is_not_stated(tmp_path, rng) -> None:
    tags = {"MagneticFieldStrength": None, "ImagingFrequency": 123.2565}
    make.classic(tmp_path, make.whole(rng), SIEMENS.but(tags=tags))
    (scan,) = dicom.scan_folder(tmp_path).series
    assert scan.settings["field_strength_t"] == 2.895
    assert scan.settings["imaging_frequency_hz"] == 123.2565e6


def test_gauss_are_tesla(tmp_path, rng) -> None:
    make.classic(tmp_path, make.whole(rng), GE.but(tags={"MagneticFieldStrength": 15000}))
    (scan,) = dicom.scan_folder(tmp_path).series
    assert scan.settings["field_strength_t"] == 1.5
    assert scan.device == "GE MEDICAL SYSTEMS SIGNA Premier 1.5 T"
