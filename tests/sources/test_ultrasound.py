"""Ultrasound files read: tissue found, scales believed or refused, odd screens told, bad files named."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.sources.ultrasound_makers import (
    bare,
    m_mode,
    on_black,
    photographed,
    ruled,
    save,
    simulated,
    video,
)

from myoproof.core.acquisition import Picture
from myoproof.delivery.ultrasound_files import write
from myoproof.errors import InvalidInput, MyoproofError, NotReadable
from myoproof.sources.ultrasound import UltrasoundReading, read, reading


def picture(found: UltrasoundReading) -> Picture:
    assert isinstance(found.acquisition.payload, Picture)
    return found.acquisition.payload


def said(found: UltrasoundReading, category: str) -> str:
    return " ".join(finding.message for finding in found.findings if finding.category == category)


def overlap(found: UltrasoundReading, truth: np.ndarray) -> float:
    shown = picture(found).tissue
    return float((shown & truth).sum() / (shown | truth).sum())


# --- tissue ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "shape"),
    [("device-a", "rectangle"), ("device-b", "trapezoid"), ("device-c", "rectangle"), ("device-d", "sector")],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_the_tissue_of_a_simulated_screen_is_found(
    device: str, shape: str, suffix: str, tmp_path: Path
) -> None:
    acquisition = simulated(device, seed=3, screen=True)
    write(acquisition, tmp_path / f"a.{suffix}")
    found = reading(tmp_path / f"a.{suffix}")
    assert found.shape == shape
    assert overlap(found, acquisition.payload.tissue) > 0.96
    rows = np.flatnonzero(acquisition.payload.tissue.any(1))
    assert abs(found.box[0] - rows[0]) <= 3
    assert found.secrets


def test_a_bare_image_is_tissue_to_its_edges(tmp_path: Path) -> None:
    found = reading(save(bare(), tmp_path / "a.png"))
    assert found.box == (0, 384, 0, 512)
    assert picture(found).tissue.all()
    assert picture(found).pixels.shape == (1, 384, 512, 1)
    assert np.array_equal(picture(found).pixels[0, ..., 0], bare())
    assert found.flags == ("uncalibrated",)
    assert not found.secrets


@settings(deadline=None, max_examples=12)
@given(
    row=st.integers(0, 90),
    column=st.integers(0, 120),
    level=st.sampled_from([0, 30, 60, 255]),
)
def test_the_box_is_where_the_image_was_put(
    row: int, column: int, level: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    screen = np.full((500, 660), level, np.uint8)
    screen[row : row + 384, column : column + 512] = bare()
    found = reading(save(screen, tmp_path_factory.mktemp("a") / "a.png"))
    assert np.abs(np.array(found.box) - (row, row + 384, column, column + 512)).max() <= 2


def test_dark_depths_belong_to_the_image_where_the_screen_is_another_grey(tmp_path: Path) -> None:
    image = bare().copy()
    image[250:] = 3
    screen = np.full((500, 660), 54, np.uint8)
    screen[60:444, 60:572] = image
    assert reading(save(screen, tmp_path / "a.png")).box[1] == pytest.approx(444, abs=2)


def test_letters_on_the_tissue_are_left_out(tmp_path: Path) -> None:
    image = bare().copy()
    cv2.putText(image, "MEDIAL", (40, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    found = reading(save(image, tmp_path / "a.png"))
    drawn = (image == 255) & (bare() < 200)
    assert "text_masked" in found.flags
    assert picture(found).tissue[drawn].mean() < 0.1
    assert picture(found).tissue.mean() > 0.95


def test_colour_is_left_out_and_a_tint_is_not(tmp_path: Path) -> None:
    grey = bare()
    doppler = np.repeat(grey[..., None], 3, axis=2)
    doppler[150:200, 200:300] = (200, 40, 20)
    found = reading(save(doppler, tmp_path / "doppler.png"))
    assert "colour_masked" in found.flags
    assert not picture(found).tissue[150:200, 200:300].any()
    tint = np.stack([np.clip(grey * factor, 0, 255) for factor in (1.0, 0.9, 0.7)], axis=2)
    sepia = reading(save(tint.astype(np.uint8), tmp_path / "sepia.png"))
    assert "colour_masked" not in sepia.flags
    assert not said(sepia, "photo")


# --- scale ----------------------------------------------------------------------------------------------


def test_a_region_of_the_file_gives_millimetres(tmp_path: Path) -> None:
    acquisition = simulated()
    write(acquisition, tmp_path / "a.dcm")
    found = reading(tmp_path / "a.dcm", subject="sub-001", run="1")
    assert picture(found).spacing_mm == pytest.approx(acquisition.payload.spacing_mm)
    assert picture(found).spacing_source == "region"
    assert (found.acquisition.subject, found.acquisition.session) == ("sub-001", "m00")
    assert found.flags == ()


@pytest.mark.parametrize("device", ["device-a", "device-b", "device-c", "device-d"])
def test_long_and_short_ticks_tell_halves_of_centimetres(device: str, tmp_path: Path) -> None:
    acquisition = simulated(device, seed=5, screen=True)
    write(acquisition, tmp_path / "a.png")
    found = reading(tmp_path / "a.png", depth_mm=None)
    truth = acquisition.payload.spacing_mm[0]
    if picture(found).spacing_mm is None:
        assert "may mean" in said(found, "ruler")
    else:
        assert picture(found).spacing_mm == pytest.approx((truth, truth), rel=0.005)
        assert "scale_from_ruler" in found.flags


def test_ticks_of_one_length_need_the_depth(tmp_path: Path) -> None:
    path = save(ruled(step=57.6), tmp_path / "a.png")
    found = reading(path)
    assert picture(found).spacing_mm is None
    assert "may mean 2 or 5 or 10 mm" in said(found, "ruler")
    assert picture(reading(path, depth_mm=67)).spacing_mm[0] == pytest.approx(10 / 57.6, rel=0.005)
    assert picture(reading(path, depth_mm=33)).spacing_mm[0] == pytest.approx(5 / 57.6, rel=0.005)
    assert picture(reading(path, depth_mm=50)).spacing_mm is None


def test_ticks_settle_with_a_size_that_is_given_and_do_not_overrule_it(tmp_path: Path) -> None:
    path = save(ruled(step=57.6), tmp_path / "a.png")
    fits = reading(path, spacing_mm=0.175)
    assert (picture(fits).spacing_source, picture(fits).spacing_mm[0]) == (
        "ruler",
        pytest.approx(10 / 57.6, rel=0.005),
    )
    other = reading(path, spacing_mm=0.12)
    assert (picture(other).spacing_source, picture(other).spacing_mm) == ("user", (0.12, 0.12))


def test_ticks_that_differ_down_and_across_are_refused(tmp_path: Path) -> None:
    square = reading(save(ruled(step=57.6, every=2, across=57.6), tmp_path / "a.png"))
    assert picture(square).spacing_mm is not None
    found = reading(save(ruled(step=57.6, every=2, across=71.3), tmp_path / "b.png"))
    assert picture(found).spacing_mm is None
    assert "stretched" in said(found, "stretched")


def test_a_size_that_is_given_is_used_and_told(tmp_path: Path) -> None:
    path = save(bare(), tmp_path / "a.png")
    found = reading(path, spacing_mm=(0.11, 0.12))
    assert picture(found).spacing_mm == (0.11, 0.12)
    assert found.flags == ("scale_given",)
    assert picture(reading(path, spacing_mm=0.1, pixels_only=True)).spacing_mm is None
    with pytest.raises(InvalidInput, match="above 0"):
        read(path, spacing_mm=-1)


# --- odd screens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_two_images_on_a_screen_are_told(suffix: str, tmp_path: Path) -> None:
    apart = on_black((bare(1), 60, 20), (bare(2)[:, :400], 60, 580), shape=(560, 1010))
    found = reading(save(apart, tmp_path / f"a.{suffix}"))
    assert found.box[2:] == pytest.approx((20, 532), abs=3)
    assert "dual_image" in found.flags
    touching = reading(save(np.hstack([bare(1), bare(2)]), tmp_path / f"b.{suffix}"))
    assert "dual_image" in touching.flags
    assert touching.box[3] - touching.box[2] == pytest.approx(512, abs=4)


def test_a_trace_below_the_image_is_not_the_image(tmp_path: Path) -> None:
    screen = on_black((bare()[:260], 40, 50), (m_mode(bare()[:, 250], rows=330), 340, 50), shape=(700, 620))
    found = reading(save(screen, tmp_path / "a.png"))
    assert found.box == pytest.approx((40, 300, 50, 562), abs=2)


def test_an_image_on_its_head_is_refused(tmp_path: Path) -> None:
    skin = bare().copy()
    skin[:20] = np.linspace(250, 190, 20)[:, None].astype(np.uint8)
    read(save(skin, tmp_path / "up.png"))
    for device in ("device-b", "device-d"):
        write(simulated(device, seed=2), tmp_path / "upright.png")
        upright = np.asarray(Image.open(tmp_path / "upright.png"))
        with pytest.raises(InvalidInput, match="upside down"):
            read(save(upright[::-1], tmp_path / "down.png"))
    with pytest.raises(InvalidInput, match="upside down"):
        read(save(skin[::-1], tmp_path / "down.png"))


def test_a_mark_on_the_right_is_told(tmp_path: Path) -> None:
    screen = on_black((bare(), 60, 80), shape=(500, 700))
    cv2.circle(screen, (605, 75), 9, 255, -1)
    assert "right" in said(reading(save(screen, tmp_path / "a.png")), "marker")
    assert not said(reading(save(screen[:, ::-1], tmp_path / "b.png")), "marker")


def test_a_photo_of_a_screen_is_told_and_has_no_ruler(tmp_path: Path) -> None:
    photo = Image.fromarray(photographed(simulated(seed=3, screen=True).payload.pixels[0, ..., 0]))
    photo.save(tmp_path / "a.jpg", quality=85)
    found = reading(tmp_path / "a.jpg")
    assert "photo" in said(found, "photo")
    assert picture(found).spacing_mm is None
    exif = Image.Exif()
    exif.get_ifd(0x8769)[33434] = 0.02
    photo.save(tmp_path / "b.jpg", exif=exif)
    with pytest.raises(InvalidInput, match="camera"):
        read(tmp_path / "b.jpg")


@pytest.mark.parametrize("kind", ["black", "white", "text", "noise"])
def test_what_is_no_ultrasound_image_is_refused(kind: str, tmp_path: Path) -> None:
    screen = np.full((400, 500), 255 if kind == "white" else 0, np.uint8)
    for line in range(16 if kind == "text" else 0):
        cv2.putText(screen, f"line {line} of a report", (30, 40 + 22 * line), 0, 0.6, 255, 1)
    if kind == "noise":
        screen = np.random.default_rng(0).integers(0, 255, screen.shape).astype(np.uint8)
    with pytest.raises(InvalidInput, match=r"tissue|no ultrasound image"):
        read(save(screen, tmp_path / "a.png"))


# --- formats --------------------------------------------------------------------------------------------


def test_deep_palette_and_transparent_pictures_are_read(tmp_path: Path) -> None:
    grey = bare()
    deep = reading(save(grey.astype(np.uint16) * 257, tmp_path / "deep.png"))
    assert np.array_equal(picture(deep).pixels[0, ..., 0], grey)
    assert "16 bits" in said(deep, "deep")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    assert np.array_equal(picture(reading(tmp_path / "palette.png")).pixels[0, ..., 0], grey)
    Image.fromarray(grey).convert("RGBA").save(tmp_path / "clear.png")
    assert np.array_equal(picture(reading(tmp_path / "clear.png")).pixels[0, ..., 0], grey)


def test_pages_of_one_size_are_frames(tmp_path: Path) -> None:
    first, second, other = Image.fromarray(bare(1)), Image.fromarray(bare(2)), Image.fromarray(bare(2)[:200])
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second, other])
    found = reading(tmp_path / "a.tif")
    assert picture(found).pixels.shape[0] == 2
    assert "1 of 3 pages" in said(found, "pages")


@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_a_video_has_frame_times(suffix: str, tmp_path: Path) -> None:
    frames = [np.roll(bare(), shift, axis=0) for shift in range(12)]
    found = reading(video(frames, tmp_path / f"a.{suffix}"))
    assert picture(found).pixels.shape[0] == 12
    assert picture(found).times_s == pytest.approx(np.arange(12) / 25, abs=1e-3)
    assert found.acquisition.settings["frame_rate_hz"] == pytest.approx(25)
    assert "frames_dropped" not in found.flags


def test_dropped_frames_and_short_clips_are_told(tmp_path: Path) -> None:
    frames = [np.roll(bare(), shift, axis=0) for shift in range(12)]
    frames[5] = frames[4]
    doubled = reading(video(frames, tmp_path / "a.avi"))
    assert "frames_dropped" in doubled.flags
    data = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    assert "missing" in said(reading(tmp_path / "cut.avi"), "frames dropped")
    assert "one frame" in said(reading(video(frames[:1], tmp_path / "one.avi")), "one frame")


@pytest.mark.parametrize("suffix", ["png", "jpg", "mp4", "dcm"])
@pytest.mark.parametrize("share", [0.02, 0.6])
def test_cut_files_are_not_readable(suffix: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    write(simulated(), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(NotReadable) as told:
        read(path)
    assert told.value.where == path.name


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 500, b"RIFF1234AVI ", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_not_readable(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(NotReadable):
        read(tmp_path / "a.png")


def test_a_missing_file_and_a_tiny_one(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="No such file"):
        read(tmp_path / "a.png")
    with pytest.raises(NotReadable, match="too small"):
        read(save(bare()[:5, :5], tmp_path / "b.png"))


@settings(deadline=None, max_examples=25)
@given(place=st.integers(0, 6000), value=st.integers(0, 255), suffix=st.sampled_from(["dcm", "png", "jpg"]))
def test_a_damaged_byte_raises_nothing_unheard_of(
    place: int, value: int, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("a") / f"a.{suffix}"
    write(simulated(), path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] = value
    path.write_bytes(bytes(data))
    try:
        found = read(path)
    except MyoproofError:
        return
    assert found.payload.pixels.shape[3] == 1
