"""What a child says of a file arrives as it was; what is no answer is an unreadable file."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from tests.sources import dicom_makers as make
from tests.sources.dicom_makers import GE, PHILIPS, SIEMENS, XA, Grid, Part

from myoproof.sources import dicom_wire
from myoproof.sources.dicom_header import frames_of
from myoproof.sources.dicom_types import Skipped


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)


def sent(path: Path) -> object:
    (answer,) = dicom_wire.parse({"paths": [str(path)]})
    return dicom_wire.received(json.loads(json.dumps(answer)), path)


@pytest.mark.parametrize("look", [SIEMENS, PHILIPS, GE])
def test_classic_frames_arrive_as_they_were(look, tmp_path, rng) -> None:
    for path in make.classic(tmp_path, make.whole(rng), look):
        there, here = sent(path), frames_of(path)
        assert isinstance(there, tuple)
        np.testing.assert_equal([asdict(one) for one in there], [asdict(one) for one in here])


def test_frames_of_an_enhanced_file_share_their_origin(tmp_path, rng) -> None:
    grid = Grid(shape=(8, 6, 3))
    made = make.enhanced(tmp_path / "a", [Part(make.whole(rng, grid), echo_ms=1.0)], XA, grid=grid)
    path = made.rename(tmp_path / "Björn \udcff.dcm")
    there = sent(path)
    assert isinstance(there, tuple)
    assert len(there) == 3
    assert all(frame.origin is there[0].origin for frame in there)
    np.testing.assert_equal([asdict(one) for one in there], [asdict(one) for one in frames_of(path)])


def test_what_is_skipped_stays_so(tmp_path) -> None:
    (tmp_path / "note.txt").write_text("left" * 80)
    assert sent(tmp_path / "note.txt") == frames_of(tmp_path / "note.txt")


@pytest.mark.parametrize(
    "said", [{}, {"frames": [1]}, {"origin": {}, "frames": [{}]}, {"frames": [{}], "origin": {"path": 3}}]
)
def test_a_false_answer_is_an_unreadable_file(said) -> None:
    found = dicom_wire.received(said, Path("a.dcm"))
    assert isinstance(found, Skipped)
    assert (found.path, found.category) == (Path("a.dcm"), "unreadable")
