"""NIfTI reading: every way of storing one image gives the same numbers, and faults are named together."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from myoproof.core.provenance import digest_bytes
from myoproof.errors import InvalidInput, NotReadable
from myoproof.sources import nifti

AFFINE = np.array(
    [[-0.7, -0.03, 0.2, 90.0], [0.03, -0.7, 0.04, 80.0], [0.005, 0.001, 24.0, -200.0], [0, 0, 0, 1.0]]
)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 3000, (6, 5, 4)).astype(np.int16)


def save(
    path: Path, data: np.ndarray, affine: np.ndarray = AFFINE, codes: tuple[int, int] = (1, 1), **header
) -> Path:
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine if codes[0] else None, code=codes[0])
    image.set_qform(affine, code=codes[1])
    for key, value in header.items():
        image.header[key] = value
    nib.save(image, path)
    return path


@pytest.fixture
def pair(tmp_path: Path, values: np.ndarray) -> tuple[Path, Path]:
    return save(tmp_path / "fat.nii.gz", values), save(tmp_path / "water.nii.gz", values[::-1].copy())


def test_reads_both_images_on_their_grid(pair, values) -> None:
    scan = nifti.read(*pair, subject="p1", session="m00")
    assert (scan.subject, scan.session, scan.modality) == ("p1", "m00", "dixon")
    np.testing.assert_array_equal(scan.payload.channels["fat"], values)
    assert scan.payload.channels["water"].dtype == np.float32
    np.testing.assert_allclose(scan.payload.affine, AFFINE, atol=1e-6)
    assert scan.digest == digest_bytes(pair[0].read_bytes(), pair[1].read_bytes())


@pytest.mark.parametrize(
    "name", ["a.nii", "a.nii.gz", "a.img"], ids=["single file", "compressed", "header and image"]
)
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", ">f8", "u1", "<u4"])
def test_every_storage_gives_the_same_numbers(tmp_path: Path, name: str, dtype: str) -> None:
    data = np.arange(120).reshape(6, 5, 4)
    image = nib.Nifti1Pair if name.endswith(".img") else nib.Nifti1Image
    header = image.header_class(endianness="<" if dtype[0] != ">" else ">")
    stored = image(data.astype(dtype), AFFINE, header)
    nib.save(stored, tmp_path / name)
    nib.save(image((data + 1).astype(dtype), AFFINE, header), tmp_path / f"b{name[1:]}")
    scan = nifti.read(tmp_path / name, tmp_path / f"b{name[1:]}")
    np.testing.assert_array_equal(scan.payload.channels["fat"], data)
    assert scan.payload.channels["fat"].dtype.byteorder in "=<|"


def test_slope_and_intercept_are_applied(tmp_path: Path, values: np.ndarray, pair) -> None:
    image = nib.Nifti1Image(values, AFFINE)
    image.header.set_slope_inter(0.5, 10.0)
    path = tmp_path / "scaled.nii"
    # nibabel rescales on saving, so that the stored integers are written by hand.
    header = image.header.copy()
    with path.open("wb") as stream:
        header["vox_offset"] = 352
        header["magic"] = b"n+1"
        header.set_data_shape(values.shape)
        stream.write(header.binaryblock + b"\0" * 4 + values.tobytes(order="F"))
    scan = nifti.read(path, pair[1])
    np.testing.assert_allclose(scan.payload.channels["fat"], values * 0.5 + 10.0)


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (2, 1)])
def test_one_form_is_enough(tmp_path: Path, values: np.ndarray, codes: tuple[int, int]) -> None:
    affine = np.diag([-2.0, -2.0, 5.0, 1.0])
    one = save(tmp_path / "f.nii", values, affine, codes)
    other = save(tmp_path / "w.nii", values + 1, affine, codes)
    np.testing.assert_allclose(nifti.read(one, other).payload.affine, affine, atol=1e-5)


def test_metres_become_millimetres(tmp_path: Path, values: np.ndarray) -> None:
    affine = np.diag([-0.002, -0.002, 0.005, 1.0])
    paths = [
        save(tmp_path / name, values + k, affine, xyzt_units=1) for k, name in enumerate(("f.nii", "w.nii"))
    ]
    np.testing.assert_allclose(nifti.read(*paths).payload.spacing_mm, (2.0, 2.0, 5.0), rtol=1e-5)


def test_a_trailing_dimension_of_one_is_dropped(tmp_path: Path, values: np.ndarray, pair) -> None:
    path = save(tmp_path / "f4.nii.gz", values[..., None])
    assert nifti.read(path, pair[1]).payload.shape == values.shape


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: np.stack([v, v], axis=-1), "4 dimensions"),
        (lambda v: v[:, :, 0], "2 dimensions"),
        (lambda v: v.astype(np.complex64), "complex64"),
        (lambda v: np.full(v.shape, np.nan, np.float32), "no finite value"),
    ],
)
def test_unfit_images_are_refused(tmp_path: Path, values, pair, change, says: str) -> None:
    path = save(tmp_path / "odd.nii", change(values))
    with pytest.raises(InvalidInput, match=says):
        nifti.read(path, pair[1])


def test_faults_of_both_files_are_named_together(tmp_path: Path, values: np.ndarray) -> None:
    one = save(tmp_path / "f.nii", np.stack([values, values], axis=-1))
    other = save(tmp_path / "w.nii", values, codes=(0, 0))
    with pytest.raises(InvalidInput) as caught:
        nifti.read(one, other)
    assert "2 faults" in str(caught.value)
    assert "f.nii: holds 4 dimensions" in str(caught.value)
    assert "w.nii: states no orientation" in str(caught.value)


def test_another_shape_is_refused(tmp_path: Path, values: np.ndarray, pair) -> None:
    path = save(tmp_path / "w.nii", values[:, :, :3])
    with pytest.raises(InvalidInput, match=r"fat has shape \(6, 5, 4\) but water \(6, 5, 3\)"):
        nifti.read(pair[0], path)


@pytest.mark.parametrize(
    ("shift_mm", "accepted"), [(2e-7, True), (0.9e-3, True), (1.1e-3, False), (1.0, False)]
)
def test_grids_may_differ_by_a_thousandth_of_a_millimetre(
    tmp_path, values, shift_mm: float, accepted: bool
) -> None:
    affine, moved = np.diag([1.0, 1.0, 5.0, 1.0]), np.diag([1.0, 1.0, 5.0, 1.0])
    moved[2, 3] = shift_mm
    one, other = save(tmp_path / "f.nii", values, affine), save(tmp_path / "w.nii", values + 1, moved)
    if accepted:
        nifti.read(one, other)
    else:
        with pytest.raises(InvalidInput, match="grids of fat and water differ by up to"):
            nifti.read(one, other)


def test_one_file_given_twice_is_refused(pair) -> None:
    with pytest.raises(InvalidInput, match="the same image"):
        nifti.read(pair[0], pair[0])


@pytest.mark.parametrize("keep", [0, 10, 200, 400])
@pytest.mark.parametrize("packed", [True, False])
def test_truncated_files_are_not_readable(tmp_path: Path, values, pair, keep: int, packed: bool) -> None:
    whole = gzip.decompress(pair[0].read_bytes()) if not packed else pair[0].read_bytes()
    path = tmp_path / ("cut.nii.gz" if packed else "cut.nii")
    path.write_bytes(whole[: min(keep, len(whole) - 4)])
    with pytest.raises(NotReadable, match=r"cut\.nii"):
        nifti.read(path, pair[1])


def test_absent_and_foreign_files_are_named_together(tmp_path: Path) -> None:
    foreign = tmp_path / "water.nii.gz"
    foreign.write_text("no image")
    with pytest.raises(NotReadable) as caught:
        nifti.read(tmp_path / "fat.nii.gz", foreign)
    assert "no such file" in str(caught.value)
    assert "water.nii.gz: not a readable NIfTI image" in str(caught.value)


def test_masks_keep_labels_above_255_and_integral_floats(tmp_path: Path) -> None:
    labels = np.zeros((4, 4, 3), np.uint16)
    labels[1, 1, 1], labels[2, 2, 2] = 1003, 7
    for dtype in (np.uint16, np.float64, np.int32):
        found, affine = nifti.read_mask(save(tmp_path / "m.nii.gz", labels.astype(dtype)))
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, labels)
        np.testing.assert_allclose(affine, AFFINE, atol=1e-6)


@pytest.mark.parametrize(
    ("value", "says"), [(1.5, "1.5, not whole"), (-1.0, "from -1 to"), (7e4, "70000"), (np.nan, "finite")]
)
def test_what_is_no_mask_is_refused_with_a_hint(tmp_path: Path, value: float, says: str) -> None:
    data = np.zeros((4, 4, 3), np.float32)
    data[1, 1, 1] = value
    with pytest.raises(InvalidInput, match=says) as caught:
        nifti.read_mask(save(tmp_path / "m.nii", data))
    assert "the order is fat, water, segmentation" in str(caught.value)


@pytest.mark.real_data
def test_the_real_scan_and_its_mask_lie_on_one_grid(data_folder: Path) -> None:
    folder = data_folder / "mri_thigh_ideal"
    scan = nifti.read(folder / "Thigh_001_0000.nii.gz", folder / "Thigh_001_0001.nii.gz")
    labels, affine = nifti.read_mask(folder / "Thigh_001.nii.gz")
    assert scan.payload.shape == labels.shape == (512, 512, 16)
    assert set(np.unique(labels)) == set(range(12))
    assert nifti.displacement_mm(affine, scan.payload.affine, labels.shape) < 1e-3
    assert scan.payload.slice_axis == 2
