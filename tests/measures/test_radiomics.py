"""Radiomics: every published value of the IBSI digital phantom, rows, settings and refusals."""

import csv
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from benchmarks.bench_radiomics import BEGIN, END, PAGE, feature_table

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.measures import radiomics
from myoproof.measures.radiomics_features import expected
from myoproof.numerics.ibsi_intensity import volume_histogram
from myoproof.numerics.ibsi_texture import AGGREGATIONS
from myoproof.vocabulary.lookup import words

# IBSI digital phantom, designed by Alex Zwanenburg, CC BY 4.0 (image biomarker standardisation initiative,
# github.com/theibsi/data_sets); 5 x 4 x 4 voxels of 2 mm; 0 marks the voxels outside the region.
PHANTOM = np.array(
    [
        [[1, 1, 1, 1], [1, 1, 1, 1], [4, 0, 1, 1], [4, 4, 1, 1]],
        [[4, 4, 4, 4], [4, 1, 1, 1], [1, 1, 1, 1], [4, 4, 1, 1]],
        [[4, 4, 4, 4], [6, 6, 1, 1], [6, 3, 0, 1], [6, 6, 6, 6]],
        [[1, 1, 0, 0], [1, 1, 1, 1], [4, 1, 1, 1], [4, 1, 1, 1]],
        [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]],
    ],
    dtype=np.int32,
)
OUTSIDE = {(0, 2, 1): 1, (2, 2, 2): 9, (3, 0, 2): 1, (3, 0, 3): 1, (4, 0, 2): 1, (4, 0, 3): 1}
"""Intensities of the voxels outside the region: the intensity peaks see them."""
REFERENCE = Path(__file__).parents[1] / "reference" / "ibsi_digital_phantom.csv"
"""Consensus values and tolerances of the IBSI reference manual (arXiv:1612.07003; Radiology 2020;295:328)."""


def reference() -> list[dict[str, str]]:
    with REFERENCE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def scan(values: np.ndarray, mask: np.ndarray, spacing=(2.0, 2.0, 2.0)) -> tuple[Acquisition, Segmentation]:
    affine = np.diag([*spacing, 1.0])
    volume = Volume({"image": values.astype(np.float32)}, affine)
    names = {1: ("soleus", "left")}
    return (
        Acquisition("phantom", "m00", "1", "muscle_mri", volume),
        Segmentation(mask.astype(np.uint16), affine, names, "truth"),
    )


def phantom() -> tuple[Acquisition, Segmentation]:
    values = PHANTOM.copy()
    for place, value in OUTSIDE.items():
        values[place] = value
    return scan(values, PHANTOM > 0)


SETTINGS = radiomics.Params(
    channel="image",
    bin_width=1.0,
    bin_start=1.0,
    aggregations=tuple(AGGREGATIONS),
    volume_histogram_bins=6,
    replicates=0,
)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return radiomics.measure(*phantom(), params=SETTINGS)


def agrees(value: float, row: dict[str, str]) -> bool:
    """Within the tolerance; where that is 0, equal in the three digits that are published."""
    wanted = float(row["value"])
    return float(f"{value:.3g}") == wanted or abs(value - wanted) <= float(row["tolerance"])


@pytest.mark.parametrize("row", reference(), ids=lambda row: f"{row['measure']}-{row['aggregation']}")
def test_every_published_value_of_the_digital_phantom(row, rows) -> None:
    if row["measure"].startswith(("intensity_volume", "volume_intensity")):
        levels = PHANTOM[PHANTOM > 0]  # whole levels are their own bins
        found = volume_histogram(levels, 6, np.arange(1.0, 7.0))[row["measure"]]
    else:
        mine = rows[rows["measure"] == row["measure"]]
        if row["aggregation"]:
            mine = mine[mine["method"] == f"radiomics:image:fbs1:{row['aggregation']}"]
        assert len(mine) == 1
        found = mine["value"].iloc[0]
    assert agrees(found, row), f"{found} is not {row['value']}"


def test_every_implemented_feature_has_a_published_value_and_an_id(rows) -> None:
    published = {row["measure"] for row in reference()}
    assert set(rows["measure"]) == published
    assert {name for name, row in words("measures").items() if row["code"].startswith("IBSI")} == published


@pytest.mark.real_data
def test_the_phantom_here_is_the_one_that_ibsi_publishes(data_folder: Path) -> None:
    folder = data_folder / "ibsi" / "ibsi_1_digital_phantom" / "nifti"
    mask = np.asarray(nib.load(folder / "mask" / "mask.nii.gz").dataobj) > 0
    image = np.asarray(nib.load(folder / "image" / "phantom.nii.gz").dataobj)
    acquisition, segmentation = phantom()
    assert np.array_equal(acquisition.payload.channels["image"], image)
    assert np.array_equal(segmentation.labels > 0, mask)
    table = data_folder / "ibsi" / "ibsi_1_reference_values" / "ibsi_1_dig_phantom.csv"
    published = [line.split(";")[:2] for line in table.read_text().splitlines()[1:] if line[0] != ";"]
    ours = [[row["value"], row["tolerance"]] for row in reference()]
    assert sorted((float(a), float(b)) for a, b in published) == sorted((float(a), float(b)) for a, b in ours)


def test_settings_stand_in_the_method_so_that_rows_of_two_settings_never_meet() -> None:
    acquisition, segmentation = phantom()
    other = replace(SETTINGS, bin_width=None, bins=8, resample_mm=(1.0, 3.0), aggregations=("3d_merged",))
    methods = set(radiomics.measure(acquisition, segmentation, params=other)["method"])
    assert methods == {
        "radiomics:1x3mm",
        "radiomics:image:1x3mm",
        "radiomics:image:1x3mm:fbn8",
        "radiomics:image:1x3mm:fbn8:3d_merged",
        "radiomics:image:1x3mm:fbn8:3d",
    }


def test_one_family_alone_and_any_number_of_threads_give_the_same_numbers(rows) -> None:
    few = radiomics.measure(*phantom(), params=replace(SETTINGS, families=("glcm",)), threads=3)
    assert set(few["measure"]) == {name for name in set(rows["measure"]) if name.startswith("glcm")}
    both = few.merge(rows, on=["measure", "method"], suffixes=("", "_all"))
    assert len(both) == len(few)
    assert (both["value"] == both["value_all"]).all()


def test_fat_fraction_is_made_from_fat_and_water_and_air_does_not_count() -> None:
    rng = np.random.default_rng(0)
    fat, water = rng.random((2, 8, 8, 6)).astype(np.float32)
    fat[0, 0, 0] = water[0, 0, 0] = 0.0
    acquisition, segmentation = scan(fat, np.ones(fat.shape))
    dixon = replace(acquisition, modality="dixon", payload=Volume({"fat": fat, "water": water}, np.eye(4)))
    segmentation = replace(segmentation, affine=np.eye(4))
    found = radiomics.measure(dixon, segmentation)
    mean = found.loc[found["measure"] == "intensity_mean", "value"].iloc[0]
    inside = fat + water > 0
    assert mean == pytest.approx((fat[inside] / (fat + water)[inside]).mean(), rel=1e-6)
    volume = found.loc[found["measure"] == "morphology_volume_voxels", "value"].iloc[0]
    assert volume == fat.size


def test_a_small_an_empty_and_a_flat_region_are_told() -> None:
    values = np.full((6, 6, 4), 2.0)
    few = np.zeros(values.shape)
    few[2, 2, 1:3] = 1
    for mask, reason in ((few, {"insufficient_data"}), (np.zeros(values.shape), {"empty_label"})):
        found = radiomics.measure(*scan(values, mask), params=radiomics.Params(channel="image"))
        assert set(found["absent"]) == reason
        assert len(found) == sum(map(len, expected(radiomics.Params(channel="image")).values()))
    flat = radiomics.measure(*scan(values, np.ones(values.shape)), params=radiomics.Params(channel="image"))
    assert set(flat.loc[flat["absent"] != "", "measure"]) == {
        "morphology_moran_index", "morphology_geary_measure",
    }  # fmt: skip
    assert set(flat["absent"]) == {"", "not_defined"}
    assert set(flat["quality"]) == {"warn"}
    assert set(flat["flags"]) == {"field_of_view_truncated;muscle_cut_by_stack_end"}


def test_bins_too_many_or_too_high_leave_texture_empty_with_a_reason() -> None:
    values = np.random.default_rng(0).random((8, 8, 6))
    fine = radiomics.Params(channel="image", bin_width=1e-4, bin_start=0.0)
    found = radiomics.measure(*scan(values, np.ones(values.shape)), params=fine)
    texture = found["method"].str.contains("2_5d")
    assert set(found.loc[texture, "absent"]) == {"out_of_domain"}
    assert set(found.loc[found["method"] == "radiomics:image", "absent"]) == {""}
    high = replace(fine, bin_width=0.1, bin_start=0.5)
    found = radiomics.measure(*scan(values, np.ones(values.shape)), params=high)
    assert set(found["absent"]) == {"out_of_domain"}


def test_faulty_settings_and_inputs_are_refused_together() -> None:
    acquisition, segmentation = phantom()
    with pytest.raises(InvalidInput) as refused:
        radiomics.measure(
            acquisition,
            segmentation,
            params=radiomics.Params(bins=0, aggregations=("4d",), intensity_range=(1.0, 0.0)),
        )
    for told in ("bins must be positive", "'4d'", "is empty"):
        assert told in str(refused.value)
    with pytest.raises(InvalidInput, match="no channel 'fat_fraction'; channels: image"):
        radiomics.measure(acquisition, segmentation)
    with pytest.raises(InvalidInput, match="above the lower bound"):
        radiomics.measure(
            acquisition, segmentation, params=replace(SETTINGS, bin_start=2.0, intensity_range=(1.0, 6.0))
        )
    moved = replace(segmentation, affine=np.diag([1.0, 2.0, 2.0, 1.0]))
    with pytest.raises(InvalidInput, match="another grid"):
        radiomics.measure(acquisition, moved, params=SETTINGS)
    with pytest.raises(InvalidInput, match="shape"):
        radiomics.measure(acquisition, replace(segmentation, labels=segmentation.labels[1:]), params=SETTINGS)


def test_the_docs_list_the_features_of_the_vocabulary() -> None:
    assert f"{BEGIN}\n{feature_table()}\n{END}" in PAGE.read_text(encoding="utf-8"), (
        "run `python -m benchmarks.bench_radiomics --page`"
    )


@pytest.fixture(scope="module")
def moved() -> radiomics.Measured:
    """Three discs of unlike size and intensity in a noisy image, drawn as they are."""
    rng = np.random.default_rng(4)
    x, y = np.meshgrid(np.arange(72), np.arange(40), indexing="ij")
    labels = np.zeros((72, 40, 3), dtype=np.uint16)
    values = 0.5 + 0.02 * rng.standard_normal(labels.shape)
    for label, (centre, radius) in enumerate(((14, 8), (36, 10), (58, 12)), 1):
        inside = np.hypot(x - centre, y - 20) < radius
        labels[inside] = label
        values[inside] += 0.1 * label
    names = {1: ("gracilis", "left"), 2: ("sartorius", "left"), 3: ("semitendinosus", "left")}
    affine = np.diag([1.0, 1.0, 8.0, 1.0])
    volume = Volume({"image": values.astype(np.float32)}, affine)
    acquisition = Acquisition("discs", "m00", "1", "muscle_mri", volume)
    return radiomics.measured(
        acquisition, Segmentation(labels, affine, names, "reader"), params=radiomics.Params(channel="image")
    )


def test_every_defined_feature_has_an_interval_that_holds_its_value(moved: radiomics.Measured) -> None:
    told = moved.rows[moved.rows["absent"] == ""]
    assert told["low"].notna().mean() > 0.99
    held = told[told["low"].notna()]
    assert (held["low"] <= held["value"]).all()
    assert (held["value"] <= held["high"]).all()
    assert set(held["level"]) == {0.95}


def test_the_interval_of_volume_is_what_the_border_model_says(moved: radiomics.Measured) -> None:
    """A disc of radius r whose border is off by 0.21 mm everywhere: a relative SD of 2 x 0.21 / r at least."""
    rows = moved.rows.set_index(["site", "measure"])
    for site, radius in (("gracilis", 8), ("semitendinosus", 12)):
        row = rows.loc[(site, "morphology_volume_voxels")]
        relative = (row["high"] - row["low"]) / 2 / row["value"]
        assert 1.96 * 2 * 0.21 / radius < relative < 6 * 2 * 0.21 / radius


def test_stable_and_unstable_features_are_told_apart(moved: radiomics.Measured) -> None:
    icc = moved.stability.set_index("measure")["icc"]
    assert len(icc) == len(moved.rows) / 3
    assert icc["intensity_median"] > 0.95
    assert icc["morphology_volume_voxels"] > 0.9
    assert icc.min() < 0.75, "textures of noise are the border's"
    flagged = moved.rows[moved.rows["flags"].str.contains("unstable")]
    assert 0 < len(flagged) < 0.9 * len(moved.rows)
    assert set(flagged["quality"]) == {"warn"}
    assert "morphology_volume_voxels" not in set(flagged["measure"])


def test_the_same_seed_gives_the_same_intervals_and_none_where_none_are_asked() -> None:
    few = replace(SETTINGS, families=("statistics",), replicates=10)
    one, two = (radiomics.measure(*phantom(), params=few, threads=n) for n in (1, 2))
    pd.testing.assert_frame_equal(one, two)
    none = radiomics.measured(*phantom(), params=replace(few, replicates=0))
    assert none.rows["low"].isna().all()
    assert none.stability.empty
    assert (none.rows["value"] == one["value"]).all()
    with pytest.raises(InvalidInput, match="replicates"):
        radiomics.measure(*phantom(), params=replace(few, replicates=3))


def test_noise_that_is_known_widens_the_intervals() -> None:
    acquisition, segmentation = phantom()
    values = acquisition.payload.channels["image"]
    few = replace(SETTINGS, families=("statistics",), replicates=20, bin_width=None)
    plain = radiomics.measure(acquisition, segmentation, params=few).set_index("measure")
    volume = Volume({"image": values, "image_sd": np.full_like(values, 2.0)}, acquisition.payload.affine)
    noisy = radiomics.measure(replace(acquisition, payload=volume), segmentation, params=few)
    noisy = noisy.set_index("measure")
    assert noisy.loc["intensity_mean", "value"] == plain.loc["intensity_mean", "value"]
    width = noisy["high"] - noisy["low"]
    assert (width - (plain["high"] - plain["low"]))["intensity_mean"] > 0
    # 74 voxels of SD 2: the mean's SD is 0.23
    assert width["intensity_mean"] == pytest.approx(2 * 2.09 * 2 / np.sqrt(74), rel=0.6)
