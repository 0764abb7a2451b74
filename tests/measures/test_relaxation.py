"""Water T2 rows: truth recovered, intervals honest, companions, absences and bad input."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import validate
from myoproof.errors import InvalidInput, OutOfDomain
from myoproof.measures.relaxation import METHOD, Context, Params, maps, measure
from myoproof.phantoms.relaxation import Phantom, RelaxationParams, thigh
from myoproof.phantoms.relaxation_bloch import Sequence

COARSE: dict[str, Any] = {"n_slices": 2, "voxel_mm": 2.0, "matrix": (108, 98)}


@pytest.fixture(scope="module")
def scan() -> Phantom:
    return thigh(rng=np.random.default_rng(21), params=RelaxationParams(pattern="als", **COARSE))


@pytest.fixture(scope="module")
def rows(scan: Phantom) -> pd.DataFrame:
    return measure(scan.acquisition, scan.segmentation, context=Context(scan.dixon, scan.field))


def whole(rows: pd.DataFrame, name: str = "water_t2", method: str = METHOD) -> pd.DataFrame:
    return rows[(rows["measure"] == name) & (rows["at"] == "") & (rows["method"] == method)].set_index("site")


def beside(rows: pd.DataFrame, scan: Phantom, name: str = "water_t2") -> pd.DataFrame:
    truth = scan.truth[(scan.truth["measure"] == name) & (scan.truth["at"] == "")].set_index("site")
    return whole(rows, name).join(truth[["value"]], rsuffix="_true").dropna(subset=["value", "value_true"])


def test_water_t2_is_recovered_within_its_interval(rows: pd.DataFrame, scan: Phantom) -> None:
    validate(rows)
    pairs = beside(rows, scan)
    assert len(pairs) >= 10
    assert (pairs["value"] - pairs["value_true"]).abs().mean() < 1.0
    held = (pairs["low"] <= pairs["value_true"]) & (pairs["value_true"] <= pairs["high"])
    assert held.mean() >= 0.8
    assert ((pairs["high"] - pairs["low"]) < 8).all()


def test_the_field_map_is_read_back(rows: pd.DataFrame, scan: Phantom) -> None:
    pairs = beside(rows, scan, "b1")
    assert (pairs["value"] - pairs["value_true"]).abs().max() < 0.08


def test_slices_have_rows_and_one_exponential_has_its_own_name(rows: pd.DataFrame) -> None:
    assert rows["at"].str.startswith("slice:").sum() > 30
    mono = whole(rows, "muscle_t2", f"{METHOD}:mono_exponential")
    both = mono.join(whole(rows)[["value"]], rsuffix="_water").dropna(subset=["value", "value_water"])
    assert (both["value"] > both["value_water"] + 5).all(), "stimulated echoes and fat lengthen it"
    assert mono["low"].isna().all()


def test_without_companions_rows_say_so(scan: Phantom) -> None:
    alone = whole(measure(scan.acquisition, scan.segmentation))
    assert alone["flags"].str.contains("fat_fraction_unknown").all()
    pairs = beside(alone.reset_index(), scan)
    assert (pairs["value"] - pairs["value_true"]).abs().mean() < 2.5


def test_a_bare_dixon_acquisition_is_a_context_too(scan: Phantom) -> None:
    plain = replace(
        scan.dixon,
        payload=Volume(
            {n: scan.dixon.payload.channels[n] for n in ("fat", "water")}, scan.dixon.payload.affine
        ),
    )
    pairs = beside(measure(scan.acquisition, scan.segmentation, context=plain), scan)
    assert (pairs["value"] - pairs["value_true"]).abs().mean() < 1.5


def test_a_mask_of_another_grid_is_carried(scan: Phantom) -> None:
    fine = np.repeat(np.repeat(scan.segmentation.labels, 2, axis=0), 2, axis=1)
    affine = scan.segmentation.affine @ np.diag([0.5, 0.5, 1, 1])
    affine[:2, 3] -= 0.25 * scan.acquisition.payload.spacing_mm[:2]
    mask = Segmentation(fine, affine, scan.segmentation.names, "reader")
    context = Context(scan.dixon, scan.field)
    carried = whole(measure(scan.acquisition, mask, context=context))
    direct = whole(measure(scan.acquisition, scan.segmentation, context=context))
    assert carried["flags"].str.contains("mask_carried").all()
    np.testing.assert_allclose(carried["value"], direct["value"], rtol=1e-6)
    far = replace(mask, affine=affine + np.array([[0, 0, 0, 900]] * 3 + [[0, 0, 0, 0]]))
    with pytest.raises(OutOfDomain, match="mask"):
        measure(scan.acquisition, far)


def test_muscle_without_water_has_no_water_t2(scan: Phantom) -> None:
    fat = scan.dixon.payload.channels["fat_fraction"] * 0 + np.float32(0.95)
    channels = {"fat_fraction": fat, "fat_fraction_sd": np.full_like(fat, 0.005)}
    drowned = replace(scan.dixon, payload=Volume(channels, scan.dixon.payload.affine))
    params = Params(calibrate_fat=False)
    found = whole(
        measure(scan.acquisition, scan.segmentation, context=Context(drowned, scan.field), params=params)
    )
    assert found["value"].isna().all()
    assert set(found["absent"]) <= {"fat_dominated", "empty_label"}
    assert "fat_dominated" in set(found["absent"])


def test_few_echoes_and_noise_are_flagged() -> None:
    short = RelaxationParams(sequence=Sequence(n_echo=6, echo_spacing_s=0.012), snr=8.0, **COARSE)
    scan = thigh(rng=np.random.default_rng(5), params=short)
    found = measure(scan.acquisition, scan.segmentation, context=Context(scan.dixon, scan.field))
    rows = whole(found)
    assert rows["flags"].str.contains("few_echoes").all()
    assert rows["flags"].str.contains("low_snr").any()
    assert (rows["quality"] == "warn").all()
    three = Params(skip=3)
    gone = whole(measure(scan.acquisition, scan.segmentation, context=Context(scan.dixon), params=three))
    assert set(gone["absent"]) == {"insufficient_data"}


def test_maps_cover_the_tissue(scan: Phantom) -> None:
    found = maps(scan.acquisition, context=Context(scan.dixon, scan.field))
    t2 = found.channels["water_t2_ms"]
    assert np.isfinite(t2[scan.exact.labels > 0]).mean() > 0.95
    assert np.isnan(t2[0, 0]).all()
    assert set(found.channels) == {"water_t2_ms", "water_t2_sd_ms", "b1", "fat_share"}


def _with(acquisition: Acquisition, **changes: Any) -> Acquisition:
    payload = acquisition.payload
    assert isinstance(payload, Echoes)
    return replace(acquisition, payload=replace(payload, **changes))


def test_bad_input_is_refused_with_all_its_faults(scan: Phantom) -> None:
    times = scan.acquisition.payload.echo_times_s
    uneven = _with(scan.acquisition, echo_times_s=times**1.2, values=scan.acquisition.payload.values - 5000)
    with pytest.raises(InvalidInput) as told:
        measure(uneven, scan.segmentation, params=Params(skip=16))
    for word in ("multiples", "skip", "magnitudes"):
        assert word in str(told.value)
    with pytest.raises(InvalidInput, match="magnitudes at several echo times"):
        measure(scan.dixon, scan.segmentation)
    with pytest.raises(InvalidInput, match="fat fraction"):
        measure(scan.acquisition, scan.segmentation, context=Context(fat=scan.field))
    with pytest.raises(InvalidInput, match="b1"):
        measure(scan.acquisition, scan.segmentation, context=Context(field=scan.dixon))
    with pytest.raises(InvalidInput, match="context"):
        measure(scan.acquisition, scan.segmentation, context="dixon")
    away = np.array(scan.dixon.payload.affine)
    away[0, 3] += 900
    elsewhere = replace(scan.dixon, payload=Volume(scan.dixon.payload.channels, away))
    with pytest.raises(OutOfDomain, match="covers"):
        measure(scan.acquisition, scan.segmentation, context=Context(elsewhere))


def test_a_scan_of_any_axis_order_gives_the_same_rows(scan: Phantom, rows: pd.DataFrame) -> None:
    echoes = scan.acquisition.payload
    order = np.eye(4)[[1, 2, 0, 3]]
    turned = _with(scan.acquisition, values=echoes.values.transpose(2, 0, 1, 3), affine=echoes.affine @ order)
    mask = replace(
        scan.segmentation,
        labels=scan.segmentation.labels.transpose(2, 0, 1),
        affine=scan.segmentation.affine @ order,
    )
    found = whole(measure(turned, mask, context=Context(scan.dixon, scan.field)))
    np.testing.assert_allclose(found["value"], whole(rows)["value"], rtol=3e-3)
