"""`norms fit` and `norms apply` from files to files: refusals, provenance, the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.cli.app import main
from myoproof.core.table import read_table
from myoproof.errors import InvalidInput, NotReadable
from myoproof.phantoms.devices_us import DeviceShift, simulate
from myoproof.workflow.norms import apply_norms, device_numbers

SMALL = DeviceShift(subjects={"device-a": (6, 6), "device-b": (5, 5)}, travelling=0, norm_subjects=40)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clinic")
    cohort = simulate(rng=np.random.default_rng(2), params=SMALL).cohort
    for name in ("subjects", "acquisitions", "measurements"):
        getattr(cohort, name).to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def norms(clinic: Path) -> Path:
    out = clinic.parent / "norms.json"
    words = ["norms", "fit", str(clinic), "--controls", "diagnosis=healthy", "--terms", "age_years,sex",
             "--gain-sd-db", "1.5", "--dynamic-range-db", "device-a=60", "--out", str(out),
             "--checks", str(clinic.parent / "checks.csv")]  # fmt: skip
    run(words)
    return out


def run(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert not stop.value.code


def test_fit_writes_norms_and_checks(clinic: Path, norms: Path) -> None:
    content = json.loads(norms.read_text())
    assert content["simulated"] is True
    assert len(content["norms"]) == 10
    assert {norm["device"] for norm in content["norms"]} == {"device-a"}
    checks = pd.read_csv(clinic.parent / "checks.csv")
    assert checks["n_subjects"].tolist() == [40] * 10
    assert checks["left_out_sd"].between(0.8, 1.25).all()


def test_apply_gives_rows_and_refuses_the_other_device(clinic: Path, norms: Path, tmp_path: Path) -> None:
    out = tmp_path / "z.csv"
    run(["norms", "apply", str(norms), "--cohort", str(clinic), "--out", str(out)])
    rows = read_table(out)
    visits = pd.read_csv(clinic / "acquisitions.csv").set_index("subject")["device"]
    on_b = rows["subject"].map(visits) == "device-b"
    assert set(rows.loc[on_b, "absent"]) == {"unknown_device"}
    known = rows.loc[~on_b & (rows["absent"] == "")]
    assert len(known) > 300
    assert (known["high"] - known["low"]).median() > 3
    assert (tmp_path / "z.csv.provenance.json").is_file()
    assert known["provenance"].nunique() == 1


def test_faults_of_files_are_messages(clinic: Path, norms: Path, tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="norm file cannot be read"):
        apply_norms([tmp_path / "none.json"], clinic, tmp_path / "z.csv")
    content = json.loads(norms.read_text())
    content["norms"][0]["coefficients"][1] = None
    content["norms"][1]["covariance"][0][1] += 1
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match=r"no coefficient of age_years(.|\n)*not symmetric"):
        apply_norms([broken], clinic, tmp_path / "z.csv")
    assert not (tmp_path / "z.csv").exists()
    with pytest.raises(InvalidInput, match="takes numbers"):
        device_numbers("sixty", "--dynamic-range-db")
