"""Results: columns, laws, and that a result survives saving and loading."""

import json
from pathlib import Path

import pandas as pd
import pytest

from myoproof.core.evidence import evidence_frame
from myoproof.core.result import Result, estimates_frame, load_result, predictions_frame, save_result
from myoproof.core.study import parse_study
from myoproof.errors import InvalidInput, NotReadable

STUDY = parse_study(
    'name="a"\ntitle="A"\nquestion="?"\nkind="phenotypes"\nseed=1\nfeatures=[{measure="volume"}]',
    where="test",
)


def test_a_result_survives_saving(tmp_path: Path) -> None:
    estimates = estimates_frame(
        [{"analysis": "srm", "term": "volume/thigh/both", "value": 1.05, "n_subjects": 17}]
    )
    predictions = predictions_frame(
        [{"subject": "s1", "target": "cluster", "support": "outside", "absent": "out_of_domain"}]
    )
    save_result(Result(STUDY, estimates, predictions, "abc", True), tmp_path)
    again = load_result(tmp_path)
    pd.testing.assert_frame_equal(again.estimates, estimates)
    pd.testing.assert_frame_equal(again.predictions, predictions)
    assert (again.study, again.provenance, again.simulated) == (STUDY, "abc", True)


def test_an_unfinished_or_damaged_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="no finished result"):
        load_result(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({"format": 1}), encoding="utf-8")
    with pytest.raises(NotReadable, match="damaged"):
        load_result(tmp_path)


def test_rows_without_value_need_a_reason() -> None:
    with pytest.raises(InvalidInput, match="neither value nor reason"):
        estimates_frame([{"analysis": "srm", "term": "x"}])
    assert len(estimates_frame([{"analysis": "srm", "term": "x", "absent": "insufficient_data"}])) == 1


def test_abstaining_means_an_empty_value() -> None:
    with pytest.raises(InvalidInput, match="outside the domain"):
        predictions_frame([{"subject": "s1", "target": "t", "value": 1.0, "support": "outside"}])


def test_unknown_columns_and_verdicts_are_refused() -> None:
    with pytest.raises(InvalidInput, match="unknown columns"):
        estimates_frame([{"analysis": "srm", "valeu": 1.0}])
    with pytest.raises(InvalidInput, match="unknown verdicts"):
        evidence_frame([{"about": "a", "verdict": "great", "criterion": "x"}])
    with pytest.raises(InvalidInput, match="criterion"):
        evidence_frame([{"about": "a", "verdict": "pass"}])
