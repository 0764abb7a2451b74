"""B-mode phantoms: speckle as theory says, gain as dB, truth from geometry, nothing normalised by frame."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from myoproof.core.provenance import digest_arrays
from myoproof.errors import InvalidInput, UnknownName
from myoproof.phantoms.bmode import Simulated, frame
from myoproof.phantoms.bmode_beams import PADDING, beams
from myoproof.phantoms.bmode_devices import DEVICES, device
from myoproof.phantoms.bmode_image import Paint, echoes, expected_db, spread, white
from myoproof.phantoms.bmode_scene import BmodeParams

SMALL = BmodeParams(shape=(192, 256), rises="right")
RAYLEIGH_SNR = np.sqrt(np.pi / (4.0 - np.pi))
"""Mean over SD of a Rayleigh envelope: 1.913 (Wagner 1983 IEEE Trans Sonics Ultrason 30:156)."""
LOG_RAYLEIGH_DB = -10.0 * np.euler_gamma / np.log(10.0)
"""Mean of 10 log10 of an exponential power of mean 1: -2.507 dB."""


def truths(scan: Simulated) -> dict[str, float]:
    return {f"{row.measure} {row.at}".strip(): row.value for row in scan.rows.itertuples()}


def uniform_echo(name: str, seed: int = 0) -> tuple[np.ndarray, Paint, object]:
    probe = device(name)
    grid = beams(probe, (512, 512), 40.0)
    one = np.ones(grid.x_mm.shape, dtype=np.float32)
    paint = Paint(one, np.zeros_like(one), np.zeros_like(one))
    optics = spread(probe, grid)
    return echoes(paint, optics, white(one.shape, rng=np.random.default_rng(seed))), paint, optics


@pytest.mark.parametrize("name", sorted(DEVICES))
def test_speckle_is_rayleigh(name: str) -> None:
    snrs = []
    for seed in range(4):
        envelope = np.abs(uniform_echo(name, seed)[0])[:, PADDING:-PADDING]
        snrs.append(envelope.mean() / envelope.std())
    assert np.mean(snrs) == pytest.approx(RAYLEIGH_SNR, abs=0.03)


@pytest.mark.parametrize("name", sorted(DEVICES))
def test_uniform_scatterers_have_their_amplitude_at_every_depth(name: str) -> None:
    power = np.mean([np.abs(uniform_echo(name, seed)[0]) ** 2 for seed in range(4)], axis=0)
    by_depth = power.reshape(8, -1).mean(axis=1)
    assert by_depth == pytest.approx(np.ones(8), abs=0.12)


def test_expected_level_is_what_speckle_averages_to() -> None:
    echo, paint, optics = uniform_echo("device-a")
    measured = np.mean(20.0 * np.log10(np.abs(echo)))
    assert np.mean(expected_db(paint, optics)) + LOG_RAYLEIGH_DB == pytest.approx(measured, abs=0.1)


def test_a_wide_mirror_echoes_its_amplitude() -> None:
    probe = device("device-a")
    grid = beams(probe, (256, 256), 40.0)
    mirror = np.zeros(grid.x_mm.shape, dtype=np.float32)
    mirror[100:160] = 0.5
    paint = Paint(np.zeros_like(mirror), mirror, np.zeros_like(mirror))
    echo = np.abs(echoes(paint, spread(probe, grid), np.zeros(mirror.shape, np.complex64)))
    assert echo[130, 150] == pytest.approx(0.5, rel=0.02)
    assert echo[99:101, 150].mean() == pytest.approx(0.25, rel=0.1)  # the edge is the half-amplitude point


def test_gain_moves_echogenicity_by_its_decibels() -> None:
    params = replace(SMALL, muscle_db=-42.0)
    means = []
    for gain in (-6.0, 0.0, 6.0):
        scan = frame(rng=np.random.default_rng(5), params=replace(params, gain_db=gain))
        muscle = scan.segmentation.labels[0] == 2
        means.append(scan.acquisition.payload.pixels[0, ..., 0][muscle].mean())
    step = 6.0 * 255.0 / DEVICES["device-a"].dynamic_range_db
    assert np.diff(means) == pytest.approx(
        [step, step], rel=0.15
    )  # clipping at black and white takes a little


def test_no_frame_is_normalised_by_itself() -> None:
    """Tripled amplitude (9.5 dB) shows in full: the trap of a frame divided by its own median."""
    levels = [
        frame(rng=np.random.default_rng(2), params=replace(SMALL, view="reference", muscle_db=level))
        for level in (-44.0, -44.0 + 20.0 * np.log10(3.0))
    ]
    grey = [scan.acquisition.payload.pixels.mean() for scan in levels]
    assert grey[1] - grey[0] == pytest.approx(20.0 * np.log10(3.0) * 255.0 / 60.0, rel=0.05)


def test_backscatter_truth_is_the_level_of_the_reference() -> None:
    scan = frame(rng=np.random.default_rng(2), params=replace(SMALL, view="reference", muscle_db=-34.0))
    row = scan.rows[scan.rows["measure"] == "echogenicity_backscatter"].iloc[0]
    assert row["value"] == pytest.approx(6.0, abs=1.5)  # the operator's time gain is part of the truth


@pytest.mark.parametrize("name", sorted(DEVICES))
def test_longitudinal_truth_is_what_the_labels_show(name: str) -> None:
    params = BmodeParams(shape=(384, 512), device=name)
    scan = frame(rng=np.random.default_rng(11), params=params)
    truth = truths(scan)
    pixel = scan.acquisition.payload.spacing_mm[0]
    muscle = scan.segmentation.labels[0] == 2
    middle = muscle[:, 255:257].sum(axis=0).mean() * pixel
    tilt = np.radians(0.5 * (truth["aponeurosis_angle"] + truth["aponeurosis_angle_deep"]))
    assert middle * np.cos(tilt) == pytest.approx(truth["thickness"], abs=1.5 * pixel)
    top = np.flatnonzero(muscle[:, 256])[0] * pixel
    assert top == pytest.approx(truth["aponeurosis_depth_superficial"], abs=1.5 * pixel)
    lengths = truth["fascicle_length"], truth["fascicle_length_curved"]
    assert lengths[0] <= lengths[1] < 1.1 * lengths[0]


@pytest.mark.parametrize("rises", ["right", "left"])
def test_streaks_run_along_the_true_fascicle_angle(rises: str) -> None:
    """Structure tensor of a noise-poor frame: the streaks' direction, mirrored so that they rise to the right."""
    params = BmodeParams(shape=(384, 512), rises=rises, pennation_deg=18.0)
    scan = frame(rng=np.random.default_rng(4), params=params)
    image = cv2.GaussianBlur(scan.acquisition.payload.pixels[0, ..., 0].astype(np.float64), (0, 0), 3.0)
    muscle = scan.segmentation.labels[0] == 2
    down, right = np.gradient(image)
    inner = muscle & np.roll(muscle, 12, axis=0) & np.roll(muscle, -12, axis=0)
    angle = 0.5 * np.degrees(
        np.arctan2(2 * (down * right)[inner].sum(), (right**2 - down**2)[inner].sum())
    )  # direction of the gradient; streaks are at right angles to it
    along = (90.0 - angle) % 180.0
    along = along if rises == "right" else 180.0 - along
    truth = scan.rows[scan.rows["measure"] == "fascicle_angle"]["value"].iloc[0]
    assert along == pytest.approx(truth, abs=6.0)  # the naive tensor is known to be low by some degrees


@pytest.mark.parametrize("site", ["biceps_brachii", "rectus_femoris", "forearm_flexors", "tibialis_anterior"])
def test_transverse_truth_is_what_the_labels_show(site: str) -> None:
    scan = frame(rng=np.random.default_rng(3), params=BmodeParams(view="transverse", site=site))
    labels, pixel = scan.segmentation.labels[0], scan.acquisition.payload.spacing_mm[0]
    own = scan.rows[scan.rows["site"] == site].set_index("measure")["value"]
    assert ((labels == 2).sum(axis=0).max()) * pixel == pytest.approx(own["thickness"], rel=0.12)
    if "cross_sectional_area" in own:
        assert (labels == 2).sum() * pixel**2 == pytest.approx(own["cross_sectional_area"], rel=0.01)
    together = scan.rows[scan.rows["site"].str.contains("_brachialis|_vastus")]
    for value in together["value"]:
        assert value > own["thickness"]


def test_nerve_truth_is_what_the_labels_show() -> None:
    scan = frame(rng=np.random.default_rng(0), params=BmodeParams(view="nerve", site="median_wrist"))
    labels, pixel = scan.segmentation.labels[0], scan.acquisition.payload.spacing_mm[0]
    rows = scan.rows.set_index("measure")["value"]
    assert (labels == 1).sum() * pixel**2 == pytest.approx(rows["nerve_cross_sectional_area"], rel=0.02)
    assert (labels == 2).sum() * pixel**2 == pytest.approx(rows["vessel_cross_sectional_area"], rel=0.02)
    assert 0.1 < rows["nerve_fascicle_ratio"] < 0.7
    image = scan.acquisition.payload.pixels[0, ..., 0]
    assert image[labels == 2].mean() < 0.6 * image[labels == 1].mean()  # blood is dark


def test_severity_brightens_and_thins_muscle() -> None:
    healthy, ill = (
        frame(rng=np.random.default_rng(8), params=replace(SMALL, severity=severity))
        for severity in (0.0, 0.8)
    )
    value = [truths(scan)["thickness"] for scan in (healthy, ill)]
    assert value[1] < 0.8 * value[0]
    grey = [
        s.acquisition.payload.pixels[0, ..., 0][s.segmentation.labels[0] == 2].mean() for s in (healthy, ill)
    ]
    assert grey[1] > grey[0] + 10.0


def test_one_seed_is_one_person_on_any_device() -> None:
    values = [
        truths(frame(rng=np.random.default_rng(9), params=replace(SMALL, device=name)))["thickness"]
        for name in sorted(DEVICES)
    ]
    assert values == pytest.approx([values[0]] * len(values), abs=1e-9)


def test_same_seed_same_bytes() -> None:
    digests = {
        digest_arrays(frame(rng=np.random.default_rng(1), params=SMALL).acquisition.payload.pixels)
        for _ in range(2)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("name", sorted(DEVICES))
def test_a_screen_adds_ruler_and_text_outside_the_tissue(name: str) -> None:
    bare = frame(rng=np.random.default_rng(6), params=replace(SMALL, device=name))
    shown = frame(rng=np.random.default_rng(6), params=replace(SMALL, device=name, screen=True))
    picture, labels = shown.acquisition.payload, shown.segmentation.labels
    assert labels.shape == picture.pixels.shape[:3]
    assert (labels > 0).sum() == (bare.segmentation.labels > 0).sum()
    whole = picture.pixels[0, ..., 0]
    assert (whole[~picture.tissue] > 120).sum() > 200  # text, ticks, bar
    kept = bare.acquisition.payload.tissue.sum() - picture.tissue.sum()
    assert (kept > 0) == (name == "device-c")  # the one with a mark on the tissue


def test_unknown_words_are_refused() -> None:
    with pytest.raises(UnknownName, match="no simulated device"):
        frame(rng=np.random.default_rng(0), params=BmodeParams(device="device-z"))
    with pytest.raises(UnknownName, match="no longitudinal view"):
        frame(rng=np.random.default_rng(0), params=BmodeParams(site="femur"))
    with pytest.raises(InvalidInput, match="severity"):
        BmodeParams(severity=1.5)
