"""The multi-echo measure: truth recovered, corrections declared, doubts that do not average out, refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import validate
from myoproof.errors import InvalidInput
from myoproof.measures import multiecho
from myoproof.measures.multiecho_maps import Correction, correction_of
from myoproof.numerics.fatwater import Separation, separate
from myoproof.numerics.t1_weighting import Protocol, Relaxation, fat_over_water, weighted
from myoproof.phantoms.dixon import ThighParams
from myoproof.phantoms.multiecho import MultiechoParams, MultiechoPhantom, thighs
from myoproof.phantoms.multiecho_physics import Physics

THIGH = ThighParams(n_slices=2, voxel_mm=2.0, matrix=(92, 84), gap_mm=30.0)
KEY = ["site", "side", "measure", "at"]
KNOWN = Relaxation(t1_water_sd_s=0.0, t1_fat_sd_s=0.0, b1_sd=0.0)
SURE = multiecho.Params(relaxation=KNOWN, double_bonds_sd=0.0)


@pytest.fixture(scope="module")
def scan() -> MultiechoPhantom:
    physics = Physics(flip_angle_deg=10.0)
    return thighs(rng=np.random.default_rng(8), params=MultiechoParams(THIGH, physics=physics))


@pytest.fixture(scope="module")
def separation(scan: MultiechoPhantom) -> Separation:
    echoes = scan.acquisition.payload
    found = separate(echoes.values, echoes.echo_times_s, field_strength_t=3.0)
    return replace(
        found,
        confidence=(found.confidence > 0).astype(np.float32),
        swap_risk=np.zeros_like(found.swap_risk),
    )


@pytest.fixture(scope="module")
def rows(scan: MultiechoPhantom, separation: Separation) -> pd.DataFrame:
    params = multiecho.Params(border=replace(multiecho.Params().border, side_by_side=True))
    context = multiecho.Context(separation=separation)
    return multiecho.measure(scan.acquisition, scan.exact, context=context, params=params)


def against_truth(rows: pd.DataFrame, scan: MultiechoPhantom, method: str = "multiecho") -> pd.DataFrame:
    return rows[rows["method"] == method].merge(scan.truth, on=KEY, suffixes=("", "_true"))


def whole(rows: pd.DataFrame, measure: str, method: str = "multiecho") -> pd.DataFrame:
    held = rows[(rows["method"] == method) & (rows["measure"] == measure) & (rows["at"] == "")]
    return held.set_index(["site", "side"])


def test_proton_density_fat_fraction_and_decay_are_recovered(rows, scan) -> None:
    both = against_truth(validate(rows), scan)
    fat = both[both["measure"] == "fat_fraction"]
    assert len(fat) >= 33
    assert (fat["value"] - fat["value_true"]).abs().mean() < 0.012
    decay = both[(both["measure"] == "r2star")]
    assert (decay["value"] - decay["value_true"]).abs().mean() < 5.0
    volume = both[both["measure"] == "volume"]
    assert (volume["value"] / volume["value_true"] - 1).abs().mean() < 0.03


def test_without_correction_t1_weighting_stays_in(rows, scan) -> None:
    plain = against_truth(rows, scan, "multiecho:uncorrected")
    fat = plain[plain["measure"] == "fat_fraction"]
    shown = weighted(fat["value_true"], fat_over_water(Protocol(0.010, 10.0), KNOWN))
    assert (fat["value"] - shown).abs().mean() < 0.02
    assert (fat["value"] - fat["value_true"]).mean() > 0.08
    assert plain["low"].isna().all()


def test_intervals_hold_the_value_and_most_truths(rows, scan) -> None:
    both = against_truth(rows, scan)
    assert ((both["low"] <= both["value"]) & (both["value"] <= both["high"])).all()
    held = (both["low"] <= both["value_true"]) & (both["value_true"] <= both["high"])
    assert held.mean() > 0.9


def test_shared_doubts_widen_and_do_not_average_out(scan, separation) -> None:
    params = multiecho.Params(border=replace(multiecho.Params().border, side_by_side=True))
    sure = replace(SURE, border=params.border)
    context = multiecho.Context(separation=separation)
    wide, narrow = (
        whole(multiecho.measure(scan.acquisition, scan.exact, context=context, params=one), "fat_fraction")
        for one in (params, sure)
    )
    np.testing.assert_allclose(wide["value"], narrow["value"], atol=1e-9)
    extra = (wide["high"] - wide["low"]) - (narrow["high"] - narrow["low"])
    assert (extra > 0).all()
    mid = wide["value"].between(0.25, 0.75)
    assert mid.any()
    assert (extra[mid] > 0.04).all(), "T1 and B1 at 10 degrees: about 5 points to either side"
    left, both = (extra.xs(side, level="side") for side in ("left", "both"))
    assert (both[both.index] > 0.5 * left[both.index]).all(), "the union is doubted as much as its parts"


def test_sizes_know_nothing_of_signal(rows, scan, separation) -> None:
    context = multiecho.Context(separation=separation)
    other = multiecho.measure(scan.acquisition, scan.exact, context=context, params=SURE)
    columns = ["value", "low", "high"]
    one, two = (whole(table, "volume") for table in (rows, other))
    pd.testing.assert_frame_equal(one.loc[two.index, columns], two[columns])


def test_unknown_protocol_is_flagged_and_left_alone(scan, separation) -> None:
    bare = replace(scan.acquisition, settings={"field_strength_t": 3.0})
    found = multiecho.measure(bare, scan.exact, context=multiecho.Context(separation=separation))
    fat, size = whole(found, "fat_fraction"), whole(found, "volume")
    assert fat["flags"].str.contains("t1_weighting_unknown").all()
    assert set(fat["quality"]) == {"warn"}
    assert not size["flags"].str.contains("t1_weighting_unknown").any()
    assert "multiecho:uncorrected" not in set(found["method"])


def test_a_true_b1_map_corrects_what_the_nominal_angle_does_not() -> None:
    physics = Physics(flip_angle_deg=10.0, b1=0.75)
    scan = thighs(rng=np.random.default_rng(8), params=MultiechoParams(THIGH, physics=physics))
    echoes = scan.acquisition.payload
    done = separate(echoes.values, echoes.echo_times_s, field_strength_t=3.0)
    field = Volume({"b1": scan.maps.b1}, echoes.affine)
    errors, widths = [], []
    for context in (multiecho.Context(separation=done), multiecho.Context(separation=done, b1=field)):
        fat = against_truth(multiecho.measure(scan.acquisition, scan.exact, context=context), scan)
        fat = fat[(fat["measure"] == "fat_fraction") & fat["value_true"].between(0.3, 0.7)]
        errors.append(float((fat["value"] - fat["value_true"]).mean()))
        widths.append(float((fat["high"] - fat["low"]).mean()))
    assert errors[0] < -0.04
    assert abs(errors[1]) < 0.01
    assert widths[1] < widths[0]


def test_low_confidence_and_swap_risk_are_flagged_where_they_are(scan, separation) -> None:
    confidence, risk = separation.confidence.copy(), separation.swap_risk.copy()
    half = confidence.shape[0] // 2
    confidence[:half, :, 0] = 0.3
    risk[half:, :, 1] = True
    doubtful = replace(separation, confidence=confidence, swap_risk=risk)
    found = multiecho.measure(scan.acquisition, scan.exact, context=multiecho.Context(separation=doubtful))
    fat = found[(found["measure"] == "fat_fraction") & (found["method"] == "multiecho")]
    low = fat[fat["flags"].str.contains("low_confidence")]
    assert set(low["side"]) == {"left"}
    assert "slice:1" not in set(low["at"])
    swapped = fat[fat["flags"].str.contains("fat_water_swap_suspected")]
    assert set(swapped["side"]) == {"right"}
    assert "slice:0" not in set(swapped["at"])
    assert set(swapped["quality"]) == {"fail"}


def test_ready_maps_give_the_same_rows_as_their_echoes(scan, separation) -> None:
    channels = {
        "fat": np.abs(separation.fat),
        "water": np.abs(separation.water),
        "fat_fraction": separation.pdff,
        "fat_fraction_sd": separation.pdff_sd,
        "r2star": separation.r2star,
        "r2star_sd": separation.r2star_sd,
        "confidence": separation.confidence,
    }
    ready = replace(scan.acquisition, payload=Volume(channels, scan.acquisition.payload.affine))
    params = replace(SURE, swap_share=1.0)
    one = multiecho.measure(ready, scan.exact, params=params)
    context = multiecho.Context(separation=separation)
    two = multiecho.measure(scan.acquisition, scan.exact, context=context, params=params)
    pd.testing.assert_frame_equal(one, two)


def test_inputs_stay_as_they_are(scan, separation) -> None:
    before = separation.pdff.copy(), scan.exact.labels.copy()
    multiecho.measure(scan.acquisition, scan.exact, context=multiecho.Context(separation=separation))
    np.testing.assert_array_equal(before[0], separation.pdff)
    np.testing.assert_array_equal(before[1], scan.exact.labels)


def refusals(scan: MultiechoPhantom) -> list[tuple[str, Acquisition, Segmentation, object]]:
    payload = scan.acquisition.payload
    other = replace(scan.exact, labels=scan.exact.labels[1:])
    moved = replace(scan.exact, affine=np.diag([3.0, 2.0, 35.0, 1.0]))
    foreign = Volume({"b1": scan.maps.b1[1:]}, payload.affine)
    degrees = Volume({"b1": scan.maps.b1 * 100}, payload.affine)
    fat_only = replace(scan.acquisition, payload=Volume({"fat": scan.maps.fat}, payload.affine))
    return [
        ("the mask has shape", scan.acquisition, other, None),
        ("another grid", scan.acquisition, moved, None),
        ("needs echoes", fat_only, scan.exact, None),
        ("field strength", replace(scan.acquisition, settings={}), scan.exact, None),
        ("B1 map has shape", scan.acquisition, scan.exact, foreign),
        ("median of the B1 map is 100", scan.acquisition, scan.exact, degrees),
        ("cannot use a context", scan.acquisition, scan.exact, "b1"),
    ]


@pytest.mark.parametrize("place", range(7))
def test_faulty_input_is_refused_with_its_reason(scan, place: int) -> None:
    message, acquisition, segmentation, context = refusals(scan)[place]
    with pytest.raises(InvalidInput, match=message):
        multiecho.measure(acquisition, segmentation, context=context)


def test_spectrum_doubt_grows_to_half_fat_and_is_none_without_fat(scan) -> None:
    correction = correction_of(scan.acquisition, multiecho.Params(relaxation=KNOWN), multiecho.Context())
    assert isinstance(correction, Correction)
    ((low, high),) = correction.ends(np.array([0.0, 0.3, 0.6]))
    spread = np.abs(high - low)
    assert spread[0] == pytest.approx(0.0, abs=1e-6)
    assert 0.01 < spread[1] < spread[2] < 0.05


@pytest.mark.parametrize(
    ("physics", "magnitude"),
    [(Physics(), True), (Physics(bipolar_rad=(0.3, 0.6)), False), (Physics(precession_sign=-1), False)],
    ids=["magnitudes", "bipolar", "other sign"],
)
def test_other_protocols_give_the_truth_too(physics: Physics, magnitude: bool) -> None:
    scan = thighs(rng=np.random.default_rng(8), params=MultiechoParams(THIGH, physics=physics))
    acquisition = scan.acquisition
    if magnitude:
        echoes = scan.echoes
        plain = Echoes(np.abs(echoes.values).astype(np.float32), echoes.echo_times_s, echoes.affine)
        acquisition = replace(acquisition, payload=plain)
    fat = against_truth(multiecho.measure(acquisition, scan.exact), scan)
    fat = fat[(fat["measure"] == "fat_fraction") & (fat["at"] == "")]
    assert (fat["value"] - fat["value_true"]).abs().max() < 0.04
    assert (fat["value"] - fat["value_true"]).abs().mean() < 0.012
