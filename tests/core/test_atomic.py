"""Atomic writing: an interrupt, a full disk or a failure leaves the earlier state."""

import errno
from pathlib import Path

import pytest

from myoproof.core.atomic import atomic_folder, atomic_path
from myoproof.errors import NotWritable


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_the_earlier_file_remains(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("earlier", encoding="utf-8")
    with pytest.raises((KeyboardInterrupt, NotWritable)), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_text("half", encoding="utf-8")
        raise failure
    assert path.read_text(encoding="utf-8") == "earlier"
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_the_earlier_folder_remains(tmp_path: Path, failure: BaseException) -> None:
    folder = tmp_path / "result"
    folder.mkdir()
    (folder / "a").write_text("earlier", encoding="utf-8")
    with pytest.raises((KeyboardInterrupt, NotWritable)), atomic_folder(folder) as temporary:  # noqa: PT012
        (temporary / "a").write_text("half", encoding="utf-8")
        raise failure
    assert (folder / "a").read_text(encoding="utf-8") == "earlier"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "result"
    folder.mkdir()
    (folder / "old").write_text("old", encoding="utf-8")
    with atomic_folder(folder) as temporary:
        (temporary / "new").write_text("new", encoding="utf-8")
    assert [entry.name for entry in folder.iterdir()] == ["new"]


def test_a_full_disk_is_one_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NotWritable, match="No space left"), atomic_path(tmp_path / "rows.csv") as temporary:
        temporary.write_text("rows", encoding="utf-8")
    assert list(tmp_path.iterdir()) == []
