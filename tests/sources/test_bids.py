"""Muscle-BIDS: what is written is read back, other writers are understood, faults are named together."""

import json
import os
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.errors import Finding, InvalidInput, NotReadable, NotWritable
from myoproof.sources import bids, bids_names, bids_nifti, bids_write
from myoproof.sources.bids_phase import phase_unit

AFFINE = np.array(
    [[-0.7, -0.03, 0.2, 90.0], [0.03, -0.7, 0.04, 80.0], [0.005, 0.001, 24.0, -200.0], [0, 0, 0, 1.0]]
)
TIMES = np.arange(1, 5) * 1.15e-3
SETTINGS = {
    "field_strength_t": 2.893,
    "repetition_time_s": 0.0101,
    "flip_angle_deg": 3.0,
    "precession_sign": -1.0,
    "bipolar": 1.0,
    "imaging_frequency_hz": 123.2e6,
}


def values(seed: int = 0, n_echoes: int = 4) -> np.ndarray:
    """Complex noise, which fills every phase."""
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(2, 14, 12, 5, n_echoes))
    return (100 * (parts[0] + 1j * parts[1])).astype(np.complex64)


def scan(seed: int = 0, **changes: object) -> Acquisition:
    said = {
        "subject": "sub-001",
        "session": "m00",
        "run": "",
        "modality": "multiecho",
        "payload": Echoes(values(seed), TIMES, AFFINE),
        "day": 0.0,
        "device": "Siemens Prisma_fit",
        "settings": SETTINGS,
    }
    return Acquisition(**(said | changes))


def only(root: Path) -> bids.ScanFiles:
    (found,) = bids.scans(root)
    return found


def test_complex_echoes_come_back(tmp_path: Path) -> None:
    written = scan(day=12.0)
    paths = bids.write(written, tmp_path)
    folder = tmp_path / "sub-001" / "ses-m00" / "mr-anat"
    assert [path.relative_to(folder).as_posix() for path in paths] == [
        "sub-001_ses-m00_MEGRE.nii.gz",
        "sub-001_ses-m00_part-phase_MEGRE.nii.gz",
    ]
    back = bids.read(only(tmp_path))
    assert back.payload.values.dtype == np.complex64
    np.testing.assert_allclose(back.payload.values, written.payload.values, atol=2e-4)
    np.testing.assert_allclose(back.payload.affine, AFFINE, atol=2e-5)
    np.testing.assert_allclose(back.payload.echo_times_s, TIMES, rtol=1e-12)
    assert back.settings == pytest.approx(SETTINGS)
    assert (back.subject, back.session, back.run, back.day) == ("sub-001", "m00", "", 12.0)
    assert back.device == written.device


@pytest.mark.parametrize("modality", ["multiecho", "t2_mapping"])
def test_magnitudes_come_back_bit_for_bit(tmp_path: Path, modality: str) -> None:
    magnitude = np.abs(values())
    bids.write(scan(modality=modality, payload=Echoes(magnitude, TIMES, AFFINE)), tmp_path)
    found = only(tmp_path)
    assert found.kind == modality
    np.testing.assert_array_equal(bids.read(found).payload.values, magnitude)


def test_channels_of_a_dixon_scan_come_back_as_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    names = ["fat", "water", "fat_fraction", "r2star", "field_hz", "in_phase", "opposed_phase"]
    channels = {name: rng.random((4, 5, 6), np.float32) for name in names}
    bids.write(scan(modality="dixon", payload=Volume(channels, AFFINE)), tmp_path)
    back = bids.read(only(tmp_path))
    assert back.modality == "dixon"
    assert set(back.payload.channels) == set(names)
    for name in names:
        np.testing.assert_array_equal(back.payload.channels[name], channels[name])


def test_the_same_scan_again_changes_nothing(tmp_path: Path) -> None:
    bids.write(scan(), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    bids.write(scan(), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_another_scan_of_the_same_kind_is_a_further_run(tmp_path: Path) -> None:
    for seed in range(3):
        bids.write(scan(seed), tmp_path)
    image = Volume({"image": np.ones((3, 3, 3), np.float32)}, AFFINE)
    for contrast in ("T1w", "STIR"):
        told = scan(modality="muscle_mri", payload=image, protocol=contrast, digest=f"{len(contrast):08x}")
        bids.write(told, tmp_path)
    assert [(one.kind, one.run) for one in bids.scans(tmp_path)] == [
        ("multiecho", ""),
        ("multiecho", "02"),
        ("multiecho", "03"),
        ("muscle_mri", ""),
        ("muscle_mri", "02"),
    ]
    np.testing.assert_allclose(bids.read(bids.scans(tmp_path)[2]).payload.values, values(2), atol=2e-4)
    with pytest.raises(NotWritable, match="run 02 of sub-001 m00 holds another scan"):
        bids.write(scan(9, run="02"), tmp_path)


def test_the_same_scan_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        bids.write(scan(), tmp_path / folder)
    one, two = (sorted((tmp_path / folder).rglob("*.*")) for folder in ("one", "two"))
    assert len(one) == 4
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_a_fault_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.replace
    count = []

    def stop(self: Path, target: Path) -> Path:
        count.append(target)
        if len(count) == 3:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        bids.write(scan(), tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("n_placed", range(4))
def test_a_process_killed_between_two_files_is_made_good(tmp_path: Path, n_placed: int) -> None:
    paths = bids.write(scan(), tmp_path)
    sidecars = [path.with_name(path.name.replace(".nii.gz", ".json")) for path in paths]
    whole = {path: path.read_bytes() for path in (*paths, *sidecars)}
    for late in [*paths, *sidecars][n_placed:]:
        late.unlink()
    bids.write(scan(), tmp_path)
    assert {path: path.read_bytes() for path in whole} == whole
    assert [one.run for one in bids.scans(tmp_path)] == [""]


def test_what_a_killed_process_left_is_swept_after_a_day(tmp_path: Path) -> None:
    for name, age_s in (("old", 90000), ("new", 0)):
        (tmp_path / f".writing-{name}").mkdir()
        os.utime(tmp_path / f".writing-{name}", (time.time() - age_s,) * 2)
    bids_write.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".writing-new"]


@pytest.mark.parametrize(
    ("channel", "modality"), [("t2_ms", "t2_mapping"), ("b1", "muscle_mri"), ("image", "muscle_mri")]
)
def test_maps_and_single_images_come_back(tmp_path: Path, channel: str, modality: str) -> None:
    payload = Volume({channel: np.linspace(0, 9, 24, dtype=np.float32).reshape(2, 3, 4)}, AFFINE)
    bids.write(scan(modality=modality, payload=payload, protocol="2D SE"), tmp_path)
    back = bids.read(only(tmp_path))
    assert (back.modality, back.protocol) == (modality, "2D SE")
    np.testing.assert_array_equal(back.payload.channels[channel], payload.channels[channel])


def test_images_without_their_sidecar_were_never_finished(tmp_path: Path) -> None:
    for path in bids.write(scan(7), tmp_path):
        path.with_name(path.name.replace(".nii.gz", ".json")).unlink()
    bids.write(scan(), tmp_path)
    np.testing.assert_allclose(bids.read(only(tmp_path)).payload.values, values(0), atol=2e-4)


@pytest.mark.parametrize("name", ["subject", "session"])
def test_labels_hold_letters_and_digits_alone(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="no BIDS label"):
        bids.write(scan(**{name: "a/../b"}), tmp_path)


def store(path: Path, data: np.ndarray, sidecar: dict | None, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine), path)
    if sidecar is not None:
        path.with_name(f"{bids_names.stem_of(path)}.json").write_text(json.dumps(sidecar))
    return path


def in_milliseconds(**more: object) -> dict:
    """A sidecar as ORMIR-MIDS writes it."""
    return {"EchoTime": (TIMES * 1e3).tolist(), "RepetitionTime": 10.1, "MagneticFieldStrength": 3} | more


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("sub-x/mr-anat", ("sub-x_MEGRE", "sub-x_part-phase_MEGRE")),
        ("sub-x/mr-anat", ("x_megre", "x_megre_ph")),
        ("", ("sub-x_ses-1_part-mag_MEGRE", "sub-x_ses-1_part-phase_MEGRE")),
    ],
    ids=["ormir-mids", "muscle-bids", "flat"],
)
def test_other_writers_names_and_milliseconds(tmp_path: Path, folder: str, names: tuple[str, str]) -> None:
    store(tmp_path / folder / f"{names[0]}.nii.gz", np.abs(values()), in_milliseconds())
    store(tmp_path / folder / f"{names[1]}.nii.gz", np.angle(values()), in_milliseconds())
    told: list[Finding] = []
    back = bids.read(only(tmp_path), tell=told.append)
    np.testing.assert_allclose(back.payload.values, values(), atol=2e-4)
    np.testing.assert_allclose(back.payload.echo_times_s, TIMES)
    assert back.settings["repetition_time_s"] == pytest.approx(0.0101)
    assert {one.category for one in told} == {"units"}


@pytest.mark.parametrize("parts", [("mag", "phase"), ("real", "imag")])
def test_a_file_an_echo_in_any_order(tmp_path: Path, parts: tuple[str, str]) -> None:
    split = {"mag": np.abs, "phase": np.angle, "real": np.real, "imag": np.imag}
    for echo, number in enumerate([3, 1, 2, 4]):
        for part in parts:
            name = f"sub-1_echo-{number}_part-{part}_MEGRE.nii"
            data = split[part](values()[..., number - 1])
            store(tmp_path / "sub-1" / "anat" / name, data, {"EchoTime": TIMES[number - 1] + 0 * echo})
    back = bids.read(only(tmp_path))
    np.testing.assert_allclose(back.payload.values, values(), atol=2e-4)
    np.testing.assert_allclose(back.payload.echo_times_s, TIMES)


def test_faults_are_told_together(tmp_path: Path) -> None:
    folder = tmp_path / "sub-1" / "mr-anat"
    store(folder / "sub-1_MEGRE.nii", np.abs(values()), None)
    store(folder / "sub-1_part-phase_MEGRE.nii", np.angle(values())[:, :-1, :, :3], in_milliseconds())
    with pytest.raises(InvalidInput) as caught:
        bids.read(only(tmp_path))
    text = str(caught.value)
    assert "sub-1_MEGRE.nii: has no JSON sidecar" in text
    assert "holds 3 echoes, but its sidecar says 4 echo times" in text
    assert "has the shape (14, 11, 5), but sub-1_MEGRE.nii (14, 12, 5)" in text
    assert "sub-1_MEGRE.nii: 4 volumes without" not in text


def test_a_lost_echo_is_named(tmp_path: Path) -> None:
    for number in (1, 2, 4):
        store(
            tmp_path / f"sub-1_echo-{number}_MEGRE.nii",
            np.abs(values()[..., number - 1]),
            {"EchoTime": TIMES[number - 1]},
        )
    with pytest.raises(InvalidInput, match="the magnitude lacks echo 3 of 4"):
        bids.read(only(tmp_path))


def test_a_gap_between_echo_times_is_remarked(tmp_path: Path) -> None:
    payload = Echoes(values()[..., [0, 1, 3]], TIMES[[0, 1, 3]], AFFINE)
    bids.write(scan(payload=payload), tmp_path)
    told: list[Finding] = []
    bids.read(only(tmp_path), tell=told.append)
    assert "1.150, 2.300, 4.600 ms): is an echo missing?" in told[0].message


def test_grids_that_differ_are_refused(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[1, 3] += 0.01
    store(tmp_path / "sub-1_MEGRE.nii", np.abs(values()), in_milliseconds())
    store(tmp_path / "sub-1_part-phase_MEGRE.nii", np.angle(values()), in_milliseconds(), moved)
    with pytest.raises(InvalidInput, match=r"lies up to 0\.01 mm from the grid of sub-1_MEGRE"):
        bids.read(only(tmp_path))


PHASES = {
    "radians": lambda phase: phase,
    "radians from 0": lambda phase: phase % (2 * np.pi),
    "degrees": np.rad2deg,
    "milliradians": lambda phase: np.round(phase * 1000),
    "4096, signed by rescaling": lambda phase: np.round(phase * 4096 / np.pi),
    "4096 from 0, raw": lambda phase: np.round((phase % (2 * np.pi)) * 4096 / (2 * np.pi)) % 4096,
    "turns of pi": lambda phase: phase / np.pi,
}


@pytest.mark.parametrize("unit", PHASES)
def test_phase_is_understood_by_its_range(tmp_path: Path, unit: str) -> None:
    store(tmp_path / "sub-1_MEGRE.nii", np.abs(values()), in_milliseconds())
    stored = PHASES[unit](np.angle(values()).astype(np.float64)).astype(np.float32)
    store(tmp_path / "sub-1_part-phase_MEGRE.nii", stored, in_milliseconds())
    told: list[Finding] = []
    back = bids.read(only(tmp_path), tell=told.append)
    np.testing.assert_allclose(np.angle(back.payload.values / values()), 0, atol=1.3e-3)
    assert ("phase" in {one.category for one in told}) == (not unit.startswith("radians"))


def test_a_phase_in_no_known_unit_is_refused(tmp_path: Path) -> None:
    store(tmp_path / "sub-1_MEGRE.nii", np.abs(values()), in_milliseconds())
    store(tmp_path / "sub-1_part-phase_MEGRE.nii", (np.angle(values()) * 40).astype("f4"), in_milliseconds())
    with pytest.raises(InvalidInput, match="no full turn in any known unit"):
        bids.read(only(tmp_path))


@given(st.floats(-1e4, 1e4), st.floats(0.001, 1e5))
def test_a_phase_unit_never_stretches_over_more_than_a_turn(low: float, extent: float) -> None:
    unit, findings = phase_unit(low, low + extent)
    refused = any(one.level == "error" for one in findings)
    assert refused or ((low + extent) - low) * unit.radians_each <= 2 * np.pi * 1.003


def test_a_stated_unit_that_the_range_belies_is_told() -> None:
    unit, findings = phase_unit(-4096, 4094, "rad")
    assert unit.radians_each == pytest.approx(np.pi / 4096)
    assert findings[0].level == "warning"
    assert phase_unit(-1.2, 1.1, "rad") == (phase_unit(-3.14, 3.14)[0], [])


@pytest.mark.parametrize(
    ("scale", "unit"), [(1, None), (100, "%"), (100, None), (1000, None), (1000, "0.1 %")]
)
def test_vendor_fat_fractions_become_fractions(tmp_path: Path, scale: float, unit: str | None) -> None:
    truth = np.linspace(-0.05, 1.05, 4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    store(tmp_path / "mr-quant" / "sub-1_FF.nii", truth * scale, {"Units": unit} if unit else {})
    back = bids.read(only(tmp_path))
    np.testing.assert_allclose(back.payload.channels["fat_fraction"], truth, atol=1e-6)


def test_volumes_are_read_one_at_a_time(tmp_path: Path) -> None:
    """A file of 24 echoes is read in one pass, with memory for one."""
    many = values(3, 24)
    bids_nifti.write(
        (many[..., e].real.copy() for e in range(24)), AFFINE, tmp_path / "a.nii.gz", n_volumes=24
    )
    assert bids_nifti.header(tmp_path / "a.nii.gz").n_volumes == 24
    for number, volume in enumerate(bids_nifti.volumes(tmp_path / "a.nii.gz")):
        assert volume.shape == (14, 12, 5)
        np.testing.assert_array_equal(volume, many[..., number].real)
    image = nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(image.get_fdata(dtype=np.float32), many.real)
    assert image.header.get_xyzt_units() == ("mm", "sec")


def test_integers_with_a_slope_are_scaled(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), AFFINE)
    image.header.set_slope_inter(0.5, 10)
    image.to_filename(tmp_path / "a.nii")
    expected = nib.load(tmp_path / "a.nii").get_fdata(dtype=np.float32)
    np.testing.assert_allclose(next(bids_nifti.volumes(tmp_path / "a.nii")), expected)


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = bids.write(scan(), tmp_path)[0]
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(NotReadable, match="not a readable NIfTI image"):
        bids.read(only(tmp_path))


def test_a_sidecar_holds_what_is_listed_and_nothing_else(tmp_path: Path) -> None:
    told = scan(
        centre="Clinic X", preset="Jane Doe", protocol="Jane Doe 1950 ^", settings={"patient_weight": 7.0}
    )
    bids.write(told, tmp_path)
    said = json.loads((tmp_path / "sub-001/ses-m00/mr-anat/sub-001_ses-m00_MEGRE.json").read_text())
    assert set(said) == {
        "Modality",
        "TimeUnits",
        "Units",
        "Manufacturer",
        "ManufacturersModelName",
        "FourthDimension",
        "EchoTime",
        "DaysSinceBaseline",
        "SourceDigest",
    }


def plain(folder: Path, names: dict[str, np.ndarray], sidecar: dict | None = None) -> list[Path]:
    paths = [store(folder / f"{name}.nii.gz", data, None) for name, data in names.items()]
    if sidecar is not None:
        (folder / "scan.json").write_text(json.dumps(sidecar))
        paths.append(folder / "scan.json")
    return paths


ECHO_SETS = {
    "complex": {"echoes": values()},
    "magnitude and phase": {"a_mag": np.abs(values()), "a_ph": np.angle(values())},
    "real and imaginary": {"case_imag": values().imag, "case_real": values().real},
    "a file an echo": {
        f"e{e}_{part}": make(values()[..., e])
        for e in range(4)
        for part, make in (("mag", np.abs), ("phase", np.angle))
    },
}


@pytest.mark.parametrize("kind", ECHO_SETS)
@pytest.mark.parametrize("how", ["files", "folder", "times given"])
def test_plain_echoes_of_every_layout(tmp_path: Path, kind: str, how: str) -> None:
    said = {"EchoTime": TIMES.tolist(), "MagneticFieldStrength": 3.0}
    paths = plain(tmp_path, ECHO_SETS[kind], None if how == "times given" else said)
    given_times = TIMES if how == "times given" else None
    chosen = [tmp_path] if how == "folder" else paths
    back = bids.read_echoes(*chosen, echo_times_s=given_times, settings={"flip_angle_deg": 5.0})
    np.testing.assert_allclose(back.payload.values, values(), atol=2e-4)
    np.testing.assert_allclose(back.payload.echo_times_s, TIMES)
    assert back.settings["flip_angle_deg"] == 5.0
    assert ("field_strength_t" in back.settings) == (how != "times given")
    np.testing.assert_allclose(back.payload.affine, AFFINE, atol=2e-5)


def test_a_study_folder_is_read_as_echoes_where_it_holds_one_scan(tmp_path: Path) -> None:
    bids.write(scan(), tmp_path)
    back = bids.read_echoes(tmp_path)
    np.testing.assert_allclose(back.payload.values, values(), atol=2e-4)
    assert back.subject == "subject"
    bids.write(scan(1), tmp_path)
    with pytest.raises(InvalidInput, match="holds 2 multiecho scans"):
        bids.read_echoes(tmp_path)


def test_echoes_without_times_are_refused(tmp_path: Path) -> None:
    (path,) = plain(tmp_path, {"echoes": values()})
    with pytest.raises(InvalidInput, match="4 volumes without echo times"):
        bids.read_echoes(path)
    with pytest.raises(InvalidInput, match="holds 4 echoes, but its sidecar says 3 echo times"):
        bids.read_echoes(path, echo_times_s=TIMES[:3])


def test_phase_without_magnitude_is_refused(tmp_path: Path) -> None:
    (path,) = plain(tmp_path, {"a_phase": np.angle(values())})
    with pytest.raises(InvalidInput, match="phase without magnitude"):
        bids.read_echoes(path, echo_times_s=TIMES)


def test_entering_says_whether_the_scan_was_new(tmp_path: Path) -> None:
    first, again = bids_write.enter(scan(), tmp_path), bids_write.enter(scan(), tmp_path)
    other = bids_write.enter(scan(1), tmp_path)
    assert (first.new, again.new, other.new) == (True, False, True)
    assert first.images == again.images
    assert other.acquisition.run == "02"
