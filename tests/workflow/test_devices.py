"""`harmonise devices fit|apply` from files to files: the page, the evidence, refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.core.table import read_table
from myoproof.errors import InvalidInput, NotReadable
from myoproof.phantoms.devices_us import DeviceShift, phantom_targets, simulate
from myoproof.workflow.devices import Outputs, apply_devices, fit_devices, params_of, read_calibration

SMALL = DeviceShift(subjects={"device-a": (20, 20), "device-b": (15, 15)}, travelling=16, norm_subjects=0)
REFERENCE = "device-a/muscle"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clinic")
    cohort = simulate(rng=np.random.default_rng(2), params=SMALL).cohort
    for name in ("subjects", "acquisitions", "measurements"):
        getattr(cohort, name).to_csv(folder / f"{name}.csv", index=False)
    return folder


def fitted(clinic: Path, out: Path, way: str = "travelling", **more: object) -> Path:
    params = params_of(way, REFERENCE, ["echogenicity"], "arm=control", by_site=False)
    fit_devices(clinic, out, params=params, **more)
    return out


def test_rows_page_and_evidence(clinic: Path, tmp_path: Path) -> None:
    model = fitted(clinic, tmp_path / "d.json", analysis_set="travelling")
    outputs = Outputs(tmp_path / "rows.csv", tmp_path / "page.html", tmp_path / "change.csv")
    done = apply_devices(model, clinic, outputs)
    assert [path.name for path in done.written] == ["rows.csv", "page.html", "change.csv"]
    assert read_table(outputs.rows)["method"].unique().tolist() == ["echogenicity:whole:device_transfer"]
    text = outputs.report.read_text()
    assert "<svg" in text
    assert "imulated" in text
    assert "AUC of the mean over muscles" in text
    change = pd.read_csv(outputs.evidence)
    pooled = change[change["population"].str.contains("all devices")].set_index("metric")["value"]
    assert pooled["AUC after"] > pooled["AUC before"]
    shares = change[change["metric"].str.startswith("share of the controls")]["value"].tolist()
    assert shares[0] > 0.2 > abs(shares[1])
    # 70 people of the clinic and 16 travelling ones, a person once.
    assert change.loc[change["metric"] == "AUC after", "n"].iloc[0] == 86


def test_phantoms_as_files(clinic: Path, tmp_path: Path) -> None:
    targets = phantom_targets(rng=np.random.default_rng(1)).assign(preset="muscle")
    paths = []
    for device, own in targets.groupby("device"):
        own.to_csv(tmp_path / f"{device}.csv", index=False)
        paths.append(tmp_path / f"{device}.csv")
    model = fitted(clinic, tmp_path / "p.json", "phantom", calibration_paths=paths)
    done = apply_devices(model, clinic, Outputs(tmp_path / "rows.csv"))
    assert (done.rows["absent"] == "").all()
    assert read_calibration(paths[0]).device == "device-a"


def test_confounded_groups_give_no_area(clinic: Path, tmp_path: Path) -> None:
    model = fitted(clinic, tmp_path / "d.json", analysis_set="travelling")
    people = pd.read_csv(clinic / "subjects.csv").set_index("subject")
    visits = (
        pd.read_csv(clinic / "acquisitions.csv").drop_duplicates("subject").set_index("subject")["device"]
    )
    rows = pd.read_csv(clinic / "measurements.csv", keep_default_na=False)
    ill = rows["subject"].map(people["arm"]) == "als"
    clinical = rows["subject"].map(people["analysis_sets"]) == "clinic"
    kept = tmp_path / "rows.csv"
    rows[clinical & (ill == (rows["subject"].map(visits) == "device-b"))].to_csv(kept, index=False)
    done = apply_devices(model, clinic, Outputs(tmp_path / "out.csv"), rows_path=kept)
    assert any("confounded" in str(finding) for finding in done.findings)
    assert not done.evidence["metric"].str.startswith("AUC").any()


def test_faults_are_messages(clinic: Path, tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="cannot be read"):
        apply_devices(tmp_path / "none.json", clinic, Outputs(tmp_path / "rows.csv"))
    with pytest.raises(InvalidInput, match="nobody is in the analysis set"):
        fitted(clinic, tmp_path / "d.json", analysis_set="nobody")
    model = fitted(clinic, tmp_path / "d.json", analysis_set="travelling")
    with pytest.raises(InvalidInput, match="no column 'group'"):
        apply_devices(model, clinic, Outputs(tmp_path / "rows.csv"), groups=("group", "a", "b"))
    assert not (tmp_path / "rows.csv").exists()
