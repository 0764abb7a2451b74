"""Size on one contrast: the sizes that the Dixon measure gives, without a word on fat."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.core.acquisition import Echoes, Form, Volume
from myoproof.core.table import KEY
from myoproof.errors import InvalidInput
from myoproof.measures import dixon, size
from myoproof.phantoms.dixon import Phantom, ThighParams, thigh


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    params = ThighParams(n_slices=3, voxel_mm=2.5, matrix=(86, 80))
    return thigh(rng=np.random.default_rng(1), params=params)


@pytest.fixture(scope="module")
def image(phantom: Phantom) -> Volume:
    volume = phantom.acquisition.payload
    assert isinstance(volume, Volume)
    return Volume({"image": volume.channels["fat"] + volume.channels["water"]}, volume.affine)


def test_sizes_are_those_of_the_dixon_measure(phantom: Phantom, image: Volume) -> None:
    scan = replace(phantom.acquisition, modality="muscle_mri", payload=image)
    rows = size.measure(scan, phantom.segmentation)
    known = dixon.measure(phantom.acquisition, phantom.segmentation, params=dixon.Params(side_by_side=True))
    key = [column for column in KEY if column not in ("method", "modality")]
    own, other = (
        table[(table["method"] == method) & table["measure"].isin(size.SIZES)].set_index(key)
        for table, method in ((rows, "size"), (known, "dixon"))
    )
    both = own.join(other, rsuffix="_dixon")
    assert len(both) == len(own) == len(other)
    np.testing.assert_allclose(both["value"], both["value_dixon"], rtol=1e-6)
    assert (both["low"] <= both["value"]).all()
    assert set(rows["method"]) == {"size", "size:eroded", "size:dilated"}


def test_what_needs_fat_is_absent_and_no_flag_speaks_of_it(phantom: Phantom, image: Volume) -> None:
    scan = replace(phantom.acquisition, payload=image)
    rows = size.measure(scan, phantom.segmentation)
    lacking = rows[~rows["measure"].isin(size.SIZES)]
    assert set(lacking["measure"]) == {name for name, _ in size.NOT_IMAGED}
    assert (lacking["absent"] == "not_imaged").all()
    assert not rows["flags"].str.contains("|".join(size.OF_FAT)).any()


def test_echoes_count_by_their_mean(phantom: Phantom, image: Volume) -> None:
    values = np.stack([image.channels["image"], 0.5 * image.channels["image"]], axis=3).astype(np.float32)
    scan = replace(phantom.acquisition, payload=Echoes(values, np.array([0.01, 0.02]), image.affine))
    shown = size.image_of(scan)
    np.testing.assert_allclose(shown.channels["water"], 0.75 * image.channels["image"], rtol=1e-5)
    pd.testing.assert_series_equal(
        size.measure(scan, phantom.segmentation)["value"],
        size.measure(replace(scan, payload=image), phantom.segmentation)["value"],
        rtol=1e-4,
    )


def test_several_images_and_forms_are_refused(phantom: Phantom) -> None:
    with pytest.raises(InvalidInput, match="one image"):
        size.image_of(phantom.acquisition)
    with pytest.raises(InvalidInput, match="needs an image"):
        size.image_of(replace(phantom.acquisition, payload=Form({})))
