"""Text tables looked at: encodings, delimiters, headers, in pieces of any size."""

from pathlib import Path

import pytest

from myoproof.errors import NotReadable
from myoproof.sources import sheets
from myoproof.sources.sheets import look


def faults(path: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name, row, _ in look(path, path.parent).faults:
        found.setdefault(name, []).append(row)
    return found


@pytest.mark.parametrize("size", [3, 7, 1 << 20])
def test_letters_of_several_bytes_survive_any_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(sheets, "CHUNK_BYTES", size)
    path = tmp_path / "a.csv"
    path.write_text("id,näme\n1,é€😀\n2,x\n", encoding="utf-8")
    sheet = look(path, tmp_path)
    assert sheet.path == path
    assert sheet.faults == ()
    assert sheet.columns == ("id", "näme")


def test_other_encodings_are_turned_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id;Größe\n1;weiß\n".encode("cp1252"))
    assert faults(path) == {"encoding_other": [0], "delimiter": [0]}
    sheet = look(path, tmp_path)
    assert sheet.columns == ("id", "Größe")
    assert sheet.path.read_text(encoding="utf-8").endswith("weiß\n")
    path.write_bytes("id\tname\n1\tß\n".encode("utf-16"))
    assert "encoding_other" in faults(path)
    assert look(path, tmp_path).columns == ("id", "name")


def test_mixed_encodings_are_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,name\n1,\xc3\xa9\n2,\xe9\n3,plain\n4,\xdf\n")
    assert faults(path) == {"encoding_mixed": [2, 4]}
    assert look(path, tmp_path).path.read_text(encoding="utf-8").splitlines()[1:] == [
        "1,é",
        "2,é",
        "3,plain",
        "4,ß",
    ]


def test_what_is_no_table_is_refused_or_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"PK\x03\x04\x00\x00")
    with pytest.raises(NotReadable, match="binary"):
        look(path, tmp_path)
    path.write_text("")
    with pytest.raises(NotReadable, match="empty"):
        look(path, tmp_path)
    with pytest.raises(NotReadable):
        look(tmp_path / "none.csv", tmp_path)
    path.write_text("id,Id,x\n")
    assert faults(path) == {"column_repeated": [0], "form_empty": [0]}
