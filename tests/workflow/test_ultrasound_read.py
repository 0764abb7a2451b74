"""Files read in a child process: the same answer, the same faults, and no harm from what kills it."""

from pathlib import Path

import numpy as np
import pytest
from tests.sources.ultrasound_makers import save, simulated

from myoproof.delivery.ultrasound_files import write
from myoproof.errors import InvalidInput, NotReadable
from myoproof.sources.ultrasound import reading
from myoproof.workflow import ultrasound_read
from myoproof.workflow.ultrasound_read import Reader


def test_the_child_gives_the_same_reading_and_the_same_faults(tmp_path: Path) -> None:
    write(simulated(screen=True), tmp_path / "a.png")
    save(np.zeros((300, 300), np.uint8), tmp_path / "black.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    with Reader() as reader:
        there = reader.read(tmp_path / "a.png", spacing_mm=(0.1, 0.1), subject="sub-1", run="r")
        here = reading(tmp_path / "a.png", spacing_mm=(0.1, 0.1), subject="sub-1", run="r")
        assert np.array_equal(there.acquisition.payload.pixels, here.acquisition.payload.pixels)
        assert np.array_equal(there.acquisition.payload.tissue, here.acquisition.payload.tissue)
        assert (there.findings, there.box, there.shape, there.flags) == (
            here.findings,
            here.box,
            here.shape,
            here.flags,
        )
        assert there.acquisition.digest == here.acquisition.digest
        with pytest.raises(InvalidInput, match="no ultrasound image"):
            reader.read(tmp_path / "black.png")
        with pytest.raises(NotReadable, match="cut short") as told:
            reader.read(tmp_path / "cut.png")
    assert told.value.where == "cut.png"
    assert told.value.mend


def test_a_child_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(simulated(), tmp_path / "a.png")
    monkeypatch.setattr(ultrasound_read, "PARSE", "os:abort")
    with Reader() as reader, pytest.raises(NotReadable, match=r"a\.png: cannot be read"):
        reader.read(tmp_path / "a.png")
