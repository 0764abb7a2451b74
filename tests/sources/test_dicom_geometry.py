"""Where DICOM voxels lie: any orientation, any file order, gaps, shifts, stacks; and as dcm2niix says."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import PHILIPS, SIEMENS, Grid, Part

from myoproof.errors import InvalidInput
from myoproof.sources import dicom


def place_of(affine: np.ndarray, index: tuple[float, float, float]) -> np.ndarray:
    return affine[:3, :3] @ index + affine[:3, 3]


def same_places(
    array: np.ndarray, affine: np.ndarray, truth: np.ndarray, grid: Grid, tolerance: float
) -> None:
    """Every voxel of the truth is found at its place, with its value."""
    inverse = np.linalg.inv(affine)
    for index in np.ndindex(*grid.shape):
        world = place_of(grid.affine, index)
        found = np.rint(place_of(inverse, world)).astype(int)
        assert np.abs(place_of(affine, found) - world).max() < tolerance
        assert array[tuple(found)] == truth[index]


angle = st.floats(-np.pi, np.pi)


@settings(max_examples=25, deadline=None)
@given(
    angles=st.tuples(angle, angle, angle),
    shape=st.tuples(st.integers(2, 5), st.integers(2, 5), st.integers(2, 6)),
    spacing=st.tuples(st.floats(0.3, 3), st.floats(0.3, 3), st.floats(0.5, 30)),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    backwards=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_any_orientation_keeps_every_voxel_in_its_place(
    tmp_path_factory, angles, shape, spacing, origin, backwards, seed
) -> None:
    turn = make.rotation(angles)
    step = turn[:, 2] * spacing[2] * (-1 if backwards else 1)
    grid = Grid(shape, spacing, tuple(turn[:, 0]), tuple(turn[:, 1]), origin, tuple(step))
    truth = make.whole(np.random.default_rng(seed), grid)
    folder = tmp_path_factory.mktemp("any")
    make.classic(folder, truth, SIEMENS, grid=grid)
    (scan,) = dicom.scan_folder(folder).series
    assert not scan.findings
    values = dicom.read_series(scan).payload.channels["image"]
    same_places(values, scan.affine, truth, grid, tolerance=1e-3)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(40)), seed=st.integers(0, 2**16))
def test_file_order_and_names_change_nothing(tmp_path_factory, order, seed) -> None:
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("ordered")
    paths = []
    for echo in range(4):
        for number, part in ((5, "M"), (6, "P")):
            look = SIEMENS.but(
                number=number, image_type=("ORIGINAL", "PRIMARY", part), tags={"EchoTime": 1.0 + echo}
            )
            paths += make.classic(folder, make.whole(rng), look, word=f"e{echo}")
    (scan,) = dicom.scan_folder(folder).series
    shuffled = tmp_path_factory.mktemp("shuffled")
    for name, number in enumerate(order):
        target = shuffled / f"d{name % 3}" / f"{name:02d}"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(paths[number].read_bytes())
    (again,) = dicom.scan_folder(shuffled).series
    one, other = dicom.read_series(scan), dicom.read_series(again)
    np.testing.assert_array_equal(one.payload.values, other.payload.values)
    np.testing.assert_array_equal(one.payload.affine, other.payload.affine)
    assert one.digest == other.digest
    assert (scan.settings, scan.kind, scan.index) == (again.settings, again.kind, again.index)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def categories(scan: dicom.Series) -> dict[str, str]:
    return {finding.category: finding.level for finding in scan.findings}


def test_a_missing_slice_is_zero_and_named(tmp_path, rng) -> None:
    grid = Grid(shape=(5, 4, 9))
    truth = make.whole(rng, grid)
    make.classic(tmp_path, truth, SIEMENS, grid=grid)[3].unlink()
    (scan,) = dicom.scan_folder(tmp_path).series
    assert scan.shape == (5, 4, 9)
    assert scan.absent_slices == (3,)
    assert categories(scan) == {"absent slices": "warning"}
    assert "slice 3, from 0" in str(scan.findings[0])
    values = dicom.read_series(scan).payload.channels["image"]
    assert not values[:, :, 3].any()
    expected = truth.copy()
    expected[:, :, 3] = 0
    same_places(values, scan.affine, expected, grid, tolerance=1e-3)


def test_too_many_missing_slices_are_refused(tmp_path, rng) -> None:
    grid = Grid(shape=(5, 4, 9))
    paths = make.classic(tmp_path, make.whole(rng, grid), SIEMENS, grid=grid)
    for number in (1, 3, 6):
        paths[number].unlink()
    (scan,) = dicom.scan_folder(tmp_path).series
    assert not scan.readable
    with pytest.raises(InvalidInput, match="3 of 9 slices are missing"):
        dicom.read_series(scan)


def test_a_slice_absent_in_one_channel_is_absent_in_all(tmp_path, rng) -> None:
    grid = Grid(shape=(5, 4, 8))
    for number, word in ((1, "WATER"), (2, "FAT")):
        look = SIEMENS.but(number=number, image_type=("DERIVED", "PRIMARY", "DIXON", word))
        paths = make.classic(tmp_path, 1 + make.whole(rng, grid, 4000), look, grid=grid)
    paths[-1].unlink()
    (scan,) = dicom.scan_folder(tmp_path).series
    channels = dicom.read_series(scan).payload.channels
    assert scan.absent_slices == (7,)
    for values in channels.values():
        assert not values[:, :, 7].any()
        assert values[:, :, :7].all()


def test_an_uneven_stack_is_refused_and_a_rounded_one_is_not(tmp_path, rng) -> None:
    grid = Grid(shape=(5, 4, 6))

    def shifted(folder: Path, millimetres: float) -> dicom.Series:
        for k in range(6):
            moved = Grid(shape=(5, 4, 6), origin=(0, 0, 4.0 * k + (millimetres if k == 3 else 0)))
            look = SIEMENS.but(tags={"InstanceNumber": k + 1})
            make.classic(folder, make.whole(rng, grid)[:, :, :1], look, grid=moved, word=str(k))
        return dicom.scan_folder(folder).series[0]

    assert categories(shifted(tmp_path / "a", 0.01)) == {}
    assert categories(shifted(tmp_path / "b", 0.1)) == {"uneven spacing": "warning"}
    assert categories(shifted(tmp_path / "c", 0.9)) == {"uneven spacing": "error"}


@pytest.mark.parametrize(("millimetres", "level"), [(0.02, None), (0.2, "warning"), (0.8, "error")])
def test_one_slice_out_of_line_is_named(tmp_path, rng, millimetres, level) -> None:
    for k in range(6):
        moved = Grid(shape=(5, 4, 6), origin=(millimetres if k == 2 else 0.0, 0.0, 4.0 * k))
        make.classic(tmp_path, make.whole(rng, moved)[:, :, :1], SIEMENS, grid=moved, word=str(k))
    (scan,) = dicom.scan_folder(tmp_path).series
    assert categories(scan) == ({"out of line": level} if level else {})


def test_slices_shifted_along_the_plane_keep_their_place_and_are_named(tmp_path, rng) -> None:
    grid = Grid(step=(0.5, 0.0, 4.0))
    truth = make.whole(rng, grid)
    make.classic(tmp_path, truth, SIEMENS, grid=grid)
    (scan,) = dicom.scan_folder(tmp_path).series
    assert categories(scan) == {"tilt": "warning"}
    values = dicom.read_series(scan).payload.channels["image"]
    same_places(values, scan.affine, truth, grid, tolerance=1e-3)


def test_mixed_orientations_and_columns_become_scans_of_their_own(tmp_path, rng) -> None:
    coronal = Grid(row=(1, 0, 0), column=(0, 0, -1))
    left, right = Grid(origin=(-200.0, 0, 0)), Grid(origin=(40.0, 0, 0))
    for word, grid in (("cor", coronal), ("left", left), ("right", right)):
        make.classic(tmp_path, make.whole(rng, grid), SIEMENS, grid=grid, word=word)
    scans = dicom.scan_folder(tmp_path).series
    assert len(scans) == 3
    found = {tuple(np.round(scan.affine[:3, 3], 3)) for scan in scans}
    assert found == {tuple(np.round(grid.affine[:3, 3], 3)) for grid in (coronal, left, right)}
    assert all(scan.shape == (7, 6, 5) for scan in scans)


def test_a_long_gap_parts_two_stacks_of_one_series(tmp_path, rng) -> None:
    for word, height in (("low", 0.0), ("high", 100.0)):
        grid = Grid(origin=(0.0, 0.0, height))
        make.classic(tmp_path, make.whole(rng, grid), SIEMENS, grid=grid, word=word)
    low, high = dicom.scan_folder(tmp_path).series
    assert (low.shape, high.shape) == ((7, 6, 5), (7, 6, 5))
    assert low.stack_set == high.stack_set != ""


def test_one_slice_takes_its_thickness(tmp_path, rng) -> None:
    make.classic(tmp_path / "a", make.whole(rng)[:, :, :1], SIEMENS)
    (scan,) = dicom.scan_folder(tmp_path / "a").series
    np.testing.assert_allclose(scan.spacing_mm, (1.5, 1.25, 4.0))
    make.classic(tmp_path / "b", make.whole(rng)[:, :, :1], SIEMENS.but(tags={"SliceThickness": None}))
    (scan,) = dicom.scan_folder(tmp_path / "b").series
    assert categories(scan) == {"geometry": "error"}


def test_enhanced_frames_of_several_stacks_and_odd_orders(tmp_path, rng) -> None:
    grids = [Grid(), Grid(origin=(-120.0, -90.0, 330.0))]
    truth = [make.whole(rng), make.whole(rng)]
    parts = [
        Part(values, stack=str(n), grid=grid, echo_ms=2.0)
        for n, (values, grid) in enumerate(zip(truth, grids, strict=True))
    ]
    make.enhanced(tmp_path / "a", parts, PHILIPS, order=rng.permutation(10))
    scans = dicom.scan_folder(tmp_path).series
    for scan, values, grid in zip(scans, truth, grids, strict=True):
        same_places(dicom.read_series(scan).payload.channels["image"], scan.affine, values, grid, 1e-3)


@pytest.mark.real_data
def test_a_real_series_lies_where_dcm2niix_puts_it(data_folder) -> None:
    """STS_001 T1 of the TCIA soft-tissue sarcoma collection (CC BY 3.0); dcm2niix v1.0.20260724, affine printed.

    Its rows run the other way, so corners are compared and not matrices.
    """
    theirs = np.array(
        [
            [-9.76562023e-01, 0.0, 0.0, 1.37329102e-04],
            [0.0, 9.76562023e-01, 0.0, -8.59373322e01],
            [0.0, 0.0, 3.26995850e00, -8.81314575e02],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    inventory = dicom.scan_folder(data_folder / "mri_dicom_thigh_t1")
    (scan,) = inventory.series
    assert [one.category for one in inventory.skipped] == ["structure_set"]
    assert scan.shape == (174, 158, 59)
    for x in (0, 173):
        for y in (0, 157):
            for z in (0, 58):
                ours = place_of(scan.affine, (x, y, z))
                assert np.abs(ours - place_of(theirs, (x, 157 - y, z))).max() < 1e-3
    image = dicom.read_series(scan).payload.channels["image"]
    assert image.max() == 1779.0
    assert image.sum(dtype=np.float64) == 565033700.0  # of dcm2niix's image, which is equal voxel by voxel
