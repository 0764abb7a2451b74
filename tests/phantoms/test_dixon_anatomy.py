"""The parametric thigh: its shapes, and how its muscles compare with real label maps."""

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from myoproof.phantoms import dixon_constants as const
from myoproof.phantoms.dixon import ThighParams, thigh
from myoproof.phantoms.dixon_anatomy import Grid, build, chain_distance, cropped, drawn_shapes, leg_window

Labels = npt.NDArray[np.integer]


def grid(n_slices: int = 3, voxel_mm: float = 2.0) -> Grid:
    x = np.arange(-110.0, 90.0, voxel_mm)
    y = np.arange(-105.0, 85.0, voxel_mm)
    z = 60.0 * (np.arange(n_slices) - (n_slices - 1) / 2)
    return Grid(x, y, z[:, None] + np.array([-2.0, 0.0, 2.0]))


def test_every_structure_is_drawn_at_every_level() -> None:
    levels, length_mm, chains = drawn_shapes()
    assert set(chains) == set(const.STRUCTURES)
    assert length_mm > 0
    assert (np.diff(levels) > 0).all()
    assert len(const.CORTEX_MM) == len(levels)
    for name, nodes in chains.items():
        assert nodes.shape[0] == len(levels), name
        assert nodes.shape[2] == 3, name


def test_distance_to_a_tapering_band() -> None:
    at = np.array([0.0, 5.0, 10.0, 14.0], dtype=np.float32)
    chain = np.array([[0.0, 0.0, 2.0], [10.0, 0.0, 4.0]])
    np.testing.assert_allclose(
        chain_distance(at, np.zeros_like(at), chain), [-2.0, -3.0, -4.0, 0.0], atol=1e-6
    )


def test_atrophied_muscles_are_thinner_and_the_rest_is_untouched() -> None:
    where, factor = grid(), np.ones(11)
    factor[2] = 0.7
    normal, thin = (
        build(where, f, stack_centre=0.5, rng=np.random.default_rng(5)) for f in (np.ones(11), factor)
    )
    lateralis = 2
    assert (thin.distance_mm[lateralis] < 0).sum() < 0.7 * (normal.distance_mm[lateralis] < 0).sum()
    np.testing.assert_array_equal(thin.distance_mm[3], normal.distance_mm[3])


def test_skin_encloses_fascia_encloses_muscle() -> None:
    anatomy = build(grid(), np.ones(11), stack_centre=0.5, rng=np.random.default_rng(6))
    muscle = (anatomy.distance_mm[:11] < 0).any(axis=(0, 4))
    assert (anatomy.fascia_mm[muscle] < 0).all()
    assert (anatomy.skin_mm < anatomy.fascia_mm).all()
    part, small = cropped(anatomy, grid(), leg_window(anatomy))
    assert part.skin_mm.shape == small.shape[:3]
    assert (part.skin_mm < 0).sum() == (anatomy.skin_mm < 0).sum()


@pytest.mark.real_data
def test_muscles_lie_and_weigh_as_in_real_label_maps(data_folder: Path) -> None:
    """Shares of area, positions and contacts against 34 public maps (68 thighs).

    Maps: Hirriririir/Multimodal-Multiethnic-Thigh-Muscle-MRI-analysis, Apache-2.0 (model predictions of patients and
    controls). Compared in the slices that hold all eleven muscles.
    """
    paths = sorted((data_folder / "mri_thigh_labels").rglob("*.nii.gz"))
    assert len(paths) == 34
    real = [found for path in paths for found in real_thighs(path)]
    simulated = []
    for seed in range(8):
        pattern = "als" if seed % 2 else "dystrophy"
        params = ThighParams(pattern=pattern, side="right", voxel_mm=2.0, matrix=(108, 98))
        exact = thigh(rng=np.random.default_rng(1000 + seed), params=params).exact
        simulated.append(described(exact.labels, 2.0))
    share, share_real = (np.array([one[0] for one in group]) for group in (simulated, real))
    low, high = np.percentile(share_real, [5, 95], axis=0)
    typical = np.median(share, axis=0)
    assert ((typical > low) & (typical < high)).all(), "typical shares of area lie within the real 5-95 %"
    place, place_real = (np.median([one[1] for one in group], axis=0) for group in (simulated, real))
    assert np.abs(place - place_real).max() < 0.25, "centres, in radii of the muscle's summed area"
    contact, contact_real = (np.mean([one[2] for one in group], axis=0) for group in (simulated, real))
    pairs = np.triu_indices(11, 1)
    often = contact_real[pairs] > 0.9
    assert (contact[pairs][often] > 0.5).all(), "muscles that nearly always touch"
    never = contact_real[pairs] < 0.02
    assert (contact[pairs][never] < 0.35).all(), "muscles that never touch in the maps seldom do here"


def real_thighs(path: Path) -> list[tuple[npt.NDArray[np.float64], ...]]:
    """Both thighs of a map, right way up: x outwards, y forwards (the maps are stored L, P, S)."""
    image = nib.load(path)
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    labels = np.asarray(image.dataobj)[::2, ::2].astype(int)
    middle = int(np.argwhere(labels > 0)[:, 0].mean())
    sides = (labels[middle:, ::-1], labels[:middle, ::-1][::-1])
    return [described(side, 2 * float(image.header.get_zooms()[0])) for side in sides]


def described(labels: Labels, voxel_mm: float) -> tuple[npt.NDArray[np.float64], ...]:
    """Share of area, centre in radii of the whole, and share of slices in contact (3 mm), in a few whole slices."""
    area = np.stack([(labels == m).sum(axis=(0, 1)) for m in range(1, 12)]) * voxel_mm**2
    whole = np.flatnonzero((area > 30).all(axis=0))
    assert len(whole) > 0
    whole = whole[:: 1 + len(whole) // 6]
    places, contact = [], np.zeros((11, 11))
    reach = max(1, round(3.0 / voxel_mm))
    for k in whole:
        here = labels[:, :, k]
        middle = np.argwhere(here > 0).mean(axis=0)
        radius = np.sqrt(area[:, k].sum() / np.pi) / voxel_mm
        places.append([(np.argwhere(here == m).mean(axis=0) - middle) / radius for m in range(1, 12)])
        contact += touching(here, reach)
    return area[:, whole].sum(axis=1) / area[:, whole].sum(), np.mean(places, axis=0), contact / len(whole)


def touching(labels: Labels, reach: int) -> npt.NDArray[np.float64]:
    """Which muscles have voxels within ``reach`` voxels of each other along an axis."""
    found = np.zeros((12, 12))
    for step in range(1, reach + 1):
        for one, two in ((labels[step:], labels[:-step]), (labels[:, step:], labels[:, :-step])):
            found[one.ravel(), two.ravel()] = 1
            found[two.ravel(), one.ravel()] = 1
    return found[1:, 1:] * (1 - np.eye(11))
