"""Transfers between devices: simulated truth, doubt carried along, refusals, the model as JSON."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from myoproof.core.table import Table
from myoproof.errors import InvalidInput, NotReadable
from myoproof.measures.devices import derive, learn_devices, summary, take_over
from myoproof.measures.devices_types import DeviceModel, Params, from_json, to_json
from myoproof.measures.echogenicity_calibration import from_csv
from myoproof.phantoms.devices_us import Simulated, phantom_targets, simulate

REFERENCE, OTHER = "device-a/muscle", "device-b/muscle"


@pytest.fixture(scope="module")
def scene() -> Simulated:
    return simulate(rng=np.random.default_rng(3))


def rows_of(scene: Simulated, group: str) -> Table:
    people = scene.cohort.subjects
    chosen = people.loc[people["analysis_sets"] == group, "subject"]
    return Table(scene.cohort.measurements[scene.cohort.measurements["subject"].isin(chosen)])


def learnt(scene: Simulated, way: str, **more: object) -> DeviceModel:
    rows = rows_of(scene, "travelling" if way == "travelling" else "clinic")
    if way == "phantom":
        targets = phantom_targets(rng=np.random.default_rng(1)).assign(preset="muscle")
        more["calibrations"] = tuple(
            from_csv(own.to_csv(index=False)) for _, own in targets.groupby("device")
        )
    return learn_devices(rows, scene.cohort, params=Params(way, REFERENCE, **more))[0]


def carried(scene: Simulated, model: DeviceModel) -> pd.DataFrame:
    rows = rows_of(scene, "clinic")
    moved = take_over(rows, scene.cohort, model)
    visits = scene.cohort.acquisitions[["subject", "session", "run", "device"]]
    return moved.merge(visits).merge(scene.truth, on=["subject", "site"])


@pytest.mark.parametrize("way", ["travelling", "controls", "phantom"])
def test_carried_values_are_unbiased_and_the_reference_stays(scene: Simulated, way: str) -> None:
    rows = carried(scene, learnt(scene, way))
    other = rows[rows["device"] == "device-b"]
    raw = rows_of(scene, "clinic").merge(scene.truth, on=["subject", "site"])
    before = raw[raw["subject"].isin(other["subject"])]
    assert (before["value"] - before["true_a"]).mean() < -12
    # Controls of the two devices are different people: their means differ by chance.
    assert (other["value"] - other["true_a"]).mean() == pytest.approx(
        0, abs=2.5 if way == "controls" else 1.5
    )
    assert other["flags"].str.contains("device_transfer").all()
    assert other["method"].unique().tolist() == ["echogenicity:whole:device_transfer"]
    own = rows[rows["device"] == "device-a"]
    mine = rows_of(scene, "clinic").set_index(["subject", "site"])["value"]
    assert own.set_index(["subject", "site"])["value"].equals(
        mine.loc[own.set_index(["subject", "site"]).index]
    )


def test_the_doubt_of_the_transfer_is_carried_along(scene: Simulated) -> None:
    rows = carried(scene, learnt(scene, "travelling"))
    other = rows[rows["device"] == "device-b"]
    assert 0.92 <= ((other["low"] <= other["true_a"]) & (other["true_a"] <= other["high"])).mean() <= 0.98
    assert rows.loc[rows["device"] == "device-a", "low"].isna().all()


def test_replicates_tell_the_errors_and_the_line_is_not_flattened(scene: Simulated) -> None:
    line = learnt(scene, "travelling").transfers[0].line
    rows = rows_of(scene, "travelling").merge(scene.cohort.acquisitions[["subject", "run", "device"]])
    pairs = rows.groupby(["subject", "site", "device"])["value"].mean().unstack()
    flat = np.polyfit(pairs["device-b"], pairs["device-a"], 1)[0]
    assert flat < 1.1 < line.slope  # true slope 1.25
    assert line.slope == pytest.approx(1.25, abs=0.15)
    assert (line.n, line.n_clusters) == (480, 48)


def test_without_replicates_equal_shares_are_assumed_and_told(scene: Simulated) -> None:
    rows = rows_of(scene, "travelling")
    once = Table(rows[rows["run"].str.endswith("-1")])
    model, findings = learn_devices(once, scene.cohort, params=Params("travelling", REFERENCE))
    assert any("no replicates" in str(finding) for finding in findings)
    assert model.transfers[0].line.slope == pytest.approx(1.25, abs=0.15)


def test_lines_by_muscle(scene: Simulated) -> None:
    model = learnt(scene, "travelling", by_site=True)
    assert len(model.transfers) == 10
    assert {one.site for one in model.transfers} == set(scene.truth["site"])
    assert len(summary(model)) == 10
    assert len(summary(learnt(scene, "travelling"))) == 1


def test_device_and_disease_that_cannot_be_told_apart_are_refused(scene: Simulated) -> None:
    visits = scene.cohort.acquisitions
    on_b = set(visits.loc[visits["device"] == "device-b", "subject"])
    ill = set(scene.cohort.subjects.loc[scene.cohort.subjects["arm"] == "als", "subject"])
    rows = rows_of(scene, "clinic")
    rows = Table(rows[~rows["subject"].isin(on_b) | rows["subject"].isin(ill)])
    with pytest.raises(InvalidInput, match="confounded"):
        learn_devices(rows, scene.cohort, params=Params("controls", REFERENCE))


def test_unknown_devices_and_ways(scene: Simulated) -> None:
    model = learnt(scene, "travelling")
    visits = scene.cohort.acquisitions
    odd = replace(
        scene.cohort,
        acquisitions=visits.assign(preset=visits["preset"].where(visits["device"] != "device-b", "nerve")),
    )
    rows = take_over(rows_of(scene, "clinic"), odd, model)
    assert set(rows.loc[rows["value"].isna(), "absent"]) == {"unknown_device"}
    rows = rows_of(scene, "clinic")
    with pytest.raises(InvalidInput, match="no rows of the reference"):
        learn_devices(rows, scene.cohort, params=Params("controls", "device-z/muscle"))
    with pytest.raises(InvalidInput, match="no way 'by magic'"):
        learn_devices(rows, scene.cohort, params=Params("by magic", REFERENCE))
    with pytest.raises(InvalidInput, match="no calibration of"):
        learn_devices(rows, scene.cohort, params=Params("phantom", REFERENCE))
    with pytest.raises(InvalidInput, match="nobody was scanned on"):
        learn_devices(rows, scene.cohort, params=Params("travelling", REFERENCE))
    with pytest.raises(InvalidInput, match="needs the cohort"):
        derive(rows, params=Params("travelling", REFERENCE))


def test_values_that_leave_the_scale_are_absent(scene: Simulated) -> None:
    rows = rows_of(scene, "clinic")
    bright = Table(rows.assign(value=250.0))
    moved = take_over(bright, scene.cohort, learnt(scene, "phantom"))
    assert set(moved.loc[moved["value"].isna(), "absent"]) == {"not_defined"}


def test_models_survive_json_and_faults_are_told(scene: Simulated) -> None:
    model = learnt(scene, "controls")
    assert to_json(from_json(to_json(model))) == to_json(model)
    content = json.loads(to_json(model))
    content["transfers"][0]["covariance"] = [[1.0, 0.5], [0.2, 1.0]]
    content["transfers"][1]["covariance"] = [[1.0]]
    with pytest.raises(InvalidInput, match=r"cannot be(.|\n)*not whole"):
        from_json(json.dumps(content))
    with pytest.raises(NotReadable, match="no JSON"):
        from_json("[")
