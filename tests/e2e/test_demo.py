"""The demo end to end: the same bytes at 1 and 2 threads, and a report that holds what was found."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from myoproof.core.result import load_result

pytestmark = pytest.mark.slow
BINARY = Path(sys.executable).parent / "myoproof"


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = []
    for threads in (1, 2):
        out = tmp_path_factory.mktemp(f"threads{threads}") / "demo"
        command = [str(BINARY), "demo", "--out", str(out), "--threads", str(threads)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"report: {out / 'report' / 'report.html'}"
        folders.append(out)
    return folders


def test_every_file_has_the_same_bytes_at_one_and_two_threads(demos: list[Path]) -> None:
    one, two = ({path.relative_to(d): path for path in d.rglob("*") if path.is_file()} for d in demos)
    assert set(one) == set(two)
    different = [str(name) for name in one if one[name].read_bytes() != two[name].read_bytes()]
    assert different == []
    assert len([name for name in one if name.suffix == ".parquet"]) >= 13


def test_seventeen_of_twenty_complete(demos: list[Path]) -> None:
    result = load_result(demos[0] / "study" / "results" / "als-mri-progression")
    flow = result.estimates[result.estimates["analysis"] == "flow"]
    assert 17 in flow["value"].tolist()
    assert result.simulated


def test_every_row_traces_to_a_record(demos: list[Path]) -> None:
    rows = pd.read_csv(demos[0] / "study" / "tables" / "measurements.csv", keep_default_na=False)
    records = {path.stem for path in (demos[0] / "study" / "provenance").glob("*.json")}
    assert set(rows["provenance"]) <= records
    for name in ("als-nmus-phenotypes", "als-mri-progression"):
        record = json.loads((demos[0] / "study" / "results" / name / "provenance.json").read_text())
        assert set(record["parents"]) == records
    assert set(rows["flags"].str.contains("simulated")) == {True}


def test_the_report_says_what_it_is(demos: list[Path]) -> None:
    page = (demos[0] / "report" / "report.html").read_text(encoding="utf-8")
    for text in ("Simulated data", "Research use only", "als-nmus-phenotypes", "als-mri-progression"):
        assert text.lower() in page.lower()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert len(page) < 6_000_000


def test_a_second_demo_replaces_the_first(demos: list[Path]) -> None:
    """The folder is recognised as ours; its ledger does not grow by running again."""
    before = json.loads((demos[0] / "study" / "tables" / "ledger.json").read_text())
    done = subprocess.run(
        [str(BINARY), "demo", "--out", str(demos[0])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((demos[0] / "study" / "tables" / "ledger.json").read_text()) == before
