"""The laws of the measurement table, and that rows survive writing and reading."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.core.table import COLUMNS, KEY, from_rows, read_table, wide, write_table
from myoproof.errors import InvalidInput, NotReadable

ROW = {
    "subject": "s1",
    "session": "m00",
    "site": "thigh",
    "side": "left",
    "measure": "volume",
    "value": 812.0,
}


def test_defaults_are_filled() -> None:
    table = from_rows([ROW])
    assert list(table.columns) == list(COLUMNS)
    assert table.loc[0, "unit"] == "mL"
    assert table.loc[0, "rater"] == ""
    assert all(isinstance(text, str) for text in table[list(KEY)].to_numpy().ravel())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measure": "fat_fractoin", "value": 0.2}, "did you mean 'fat_fraction'"),
        ({"unit": "L"}, "wrong unit for volume: 'L'"),
        ({"value": np.nan}, "empty without a reason"),
        ({"absent": "not_measured"}, "stands beside a value"),
        ({"measure": "fat_fraction", "value": 41.8}, "outside the measure's range"),
        ({"value": -1.0}, "outside the measure's range"),
        ({"side": "links"}, "side 'links' is not in the vocabulary"),
        ({"flags": "odd_flag"}, "flag 'odd_flag' is not known"),
        ({"low": 900.0, "high": 800.0}, "low is above high"),
        ({"quality": "fine"}, "quality must be"),
        ({"value": "8l2"}, "value holds '8l2'"),
        ({"sight": "thigh"}, "column 'sight' is not known; did you mean 'site'"),
    ],
)
def test_a_broken_law_is_named_with_its_mend(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        from_rows([{**ROW, **change}], where="rows.csv")


def test_all_faults_are_told_together() -> None:
    bad = [{**ROW, "unit": "L"}, {**ROW, "site": "calf", "value": np.nan}]
    with pytest.raises(InvalidInput, match="2 faults") as caught:
        from_rows(bad, where="rows.csv")
    assert "wrong unit" in str(caught.value)
    assert "without a reason (row 2)" in str(caught.value)


def test_a_key_twice_is_refused_with_its_rows() -> None:
    with pytest.raises(InvalidInput, match=r"a key occurs twice \(row 1, 3\).*s1/m00/thigh/left/volume"):
        from_rows([ROW, {**ROW, "site": "calf"}, ROW])


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.floats(0, 1e6, allow_subnormal=False)), min_size=1, max_size=12),
    suffix=st.sampled_from([".csv", ".parquet"]),
)
def test_rows_survive_writing_and_reading(
    values: list[float | None], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [
        {**ROW, "at": f"slice:{i}", "value": v, "absent": "" if v is not None else "not_measured"}
        for i, v in enumerate(values)
    ]
    table = from_rows(rows)
    path = tmp_path_factory.mktemp("rows") / f"rows{suffix}"
    write_table(table, path)
    pd.testing.assert_frame_equal(read_table(path), table)


def test_text_that_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    table = from_rows([{**ROW, "subject": "007", "rater": "NA"}])
    write_table(table, tmp_path / "rows.csv")
    again = read_table(tmp_path / "rows.csv")
    assert again.loc[0, ["subject", "rater"]].tolist() == ["007", "NA"]


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(NotReadable, match=r"rows\.parquet"):
        read_table(tmp_path / "rows.parquet")
    (tmp_path / "latin.csv").write_bytes(b"subject,n\xe4me\n1,2\n")
    with pytest.raises(NotReadable, match=r"latin\.csv: is not UTF-8 text; save it as CSV UTF-8"):
        read_table(tmp_path / "latin.csv")
    (tmp_path / "semicolons.csv").write_text("subject;measure\ns1;volume\n", encoding="utf-8")
    with pytest.raises(NotReadable, match="semicolons; save it with commas"):
        read_table(tmp_path / "semicolons.csv")
    with pytest.raises(NotReadable, match="no such file"):
        read_table(tmp_path / "absent.csv")


def test_wide_names_what_varies() -> None:
    rows = [{**ROW, "method": method, "value": value} for method, value in (("dixon", 1.0), ("truth", 2.0))]
    assert list(wide(from_rows(rows)).columns[2:]) == ["volume_thigh_left_dixon", "volume_thigh_left_truth"]
