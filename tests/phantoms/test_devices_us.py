"""The simulated device shift: published brightness, R2 of travelling pairs, AUC."""

import numpy as np
import pandas as pd
import pytest

from myoproof.errors import InvalidInput
from myoproof.phantoms.devices_us import (
    BRIGHTNESS,
    MUSCLES,
    DeviceShift,
    Simulated,
    phantom_targets,
    simulate,
)


@pytest.fixture(scope="module")
def scenes() -> list[Simulated]:
    return [simulate(rng=np.random.default_rng(k)) for k in range(4)]


def with_groups(scene: Simulated) -> pd.DataFrame:
    cohort = scene.cohort
    rows = cohort.measurements.merge(cohort.acquisitions[["subject", "run", "device"]])
    return rows.merge(cohort.subjects[["subject", "arm", "analysis_sets", "age_years"]])


def test_brightness_is_the_published_one(scenes: list[Simulated]) -> None:
    rows = pd.concat([with_groups(scene) for scene in scenes])
    clinic = rows[rows["analysis_sets"] == "clinic"]
    for device in ("device-a", "device-b"):
        assert clinic.loc[clinic["device"] == device, "value"].mean() / 255 == pytest.approx(
            BRIGHTNESS[device], abs=0.012
        )


def test_travelling_pairs_agree_as_badly_as_published(scenes: list[Simulated]) -> None:
    squares = []
    for scene in scenes:
        rows = with_groups(scene)
        once = rows[(rows["analysis_sets"] == "travelling") & rows["run"].str.endswith("-1")]
        pairs = once.pivot(index=["subject", "site"], columns="device", values="value")
        squares.append(np.corrcoef(pairs["device-a"], pairs["device-b"])[0, 1] ** 2)
    assert np.mean(squares) == pytest.approx(0.476, abs=0.04)


def test_residuals_of_healthy_people_are_those_of_the_norms(scenes: list[Simulated]) -> None:
    rows = pd.concat([with_groups(scene) for scene in scenes])
    healthy = rows[rows["analysis_sets"] == "norm"]
    for site in ("biceps_brachii", "tibialis_anterior", "sternocleidomastoid"):
        own = healthy[healthy["site"] == site]
        residual = own["value"] - np.polyval(np.polyfit(own["age_years"], own["value"], 1), own["age_years"])
        assert residual.std() == pytest.approx(MUSCLES[site][1], rel=0.1)


def test_same_seed_same_tables_and_numbers_of_people() -> None:
    one, other = (simulate(rng=np.random.default_rng(9)) for _ in range(2))
    pd.testing.assert_frame_equal(one.cohort.measurements, other.cohort.measurements)
    rows = with_groups(one).drop_duplicates(["subject", "device"])
    clinic = rows[rows["analysis_sets"] == "clinic"].groupby(["device", "arm"]).size()
    assert clinic.to_dict() == {
        ("device-a", "als"): 117, ("device-a", "control"): 113, ("device-b", "als"): 62, ("device-b", "control"): 58,
    }  # fmt: skip


def test_the_phantom_follows_the_line_between_the_devices() -> None:
    params = DeviceShift()
    targets = phantom_targets(rng=np.random.default_rng(0), grey_se=0.0)
    wide = targets.pivot(index="db", columns="device", values="grey")
    assert np.allclose(wide["device-b"], params.offset + params.slope * wide["device-a"])


def test_a_shift_out_of_its_domain_is_refused() -> None:
    with pytest.raises(InvalidInput, match="domain"):
        DeviceShift(slope=0.0)
