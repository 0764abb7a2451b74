"""Segmenters of others: fake programs stand for the real ones, good and bad, and names are the published ones."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from myoproof.errors import MissingExtra, MyoproofError, UnknownName
from myoproof.segmentation import external
from myoproof.segmentation.drawn import read_scheme
from myoproof.vocabulary.lookup import words

ELEVEN = {site for site, _ in read_scheme("huashan11").values()}
Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a shell script on the PATH under a tool's name; `$out` is what it was told with `-o`."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def put(name: str, body: str) -> None:
        take_out = 'words="$*"; while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done'
        path = programs / name
        path.write_text(f"#!/bin/sh\n{take_out}\n{body}\n")
        path.chmod(0o755)

    return put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "work"
    place.mkdir()
    return place


def test_schemes_name_both_sides_of_their_muscles() -> None:
    for name, count in {"musclemap": 99, "musclemap_thigh": 28, "totalsegmentator_thigh": 18}.items():
        scheme = read_scheme(name)
        assert len(scheme) == count, name
        sides: dict[str, set[str]] = {}
        for site, side in scheme.values():
            sides.setdefault(site, set()).add(side)
        assert all(found in ({"left", "right"}, {"midline"}, {""}) for found in sides.values()), name
        assert len(set(scheme.values())) == count, name


def test_musclemap_has_all_eleven_muscles_one_to_one() -> None:
    for name in ("musclemap", "musclemap_thigh"):
        names = set(read_scheme(name).values())
        assert {(site, side) for site in ELEVEN for side in ("left", "right")} <= names


def test_published_numbers_of_the_whole_body_model() -> None:
    """Rows of MuscleMap's table of anatomical labels (docs/muscle-anatomy.md, version 1.2)."""
    scheme = read_scheme("musclemap")
    assert scheme[7131] == ("rectus_femoris", "left")
    assert scheme[7192] == ("biceps_femoris_short_head", "right")
    assert scheme[6160] == ("sacrum", "midline")
    assert scheme[8162] == ("fibula", "right")


def test_totalsegmentator_gives_one_muscle_and_three_groups_of_the_thigh() -> None:
    """``class_map["thigh_shoulder_muscles_mr"]`` of TotalSegmentator 2.18.0."""
    scheme = read_scheme("totalsegmentator_thigh")
    thigh = {site for site, _ in scheme.values() if words("sites").get(site, {}).get("region") == "thigh"}
    assert thigh == {"sartorius", "quadriceps", "hamstrings", "thigh_medial_compartment"}
    assert [scheme[label] for label in (1, 4, 5, 8)] == [
        ("quadriceps", "left"),
        ("thigh_medial_compartment", "right"),
        ("hamstrings", "left"),
        ("sartorius", "right"),
    ]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("totalsegmentator", 'printf " 10%%|#\\r 90%%|###\\n"; echo x > "$out"'),
        ("musclemap", 'echo "Processing 90%"; echo x > "$out/water_dseg.nii.gz"; echo "$words" >&2'),
    ],
)
def test_a_tool_is_run_and_its_mask_found(name: str, body: str, install: Install, folder: Path) -> None:
    tool = external.tool_named(name)
    install(tool.executable, body)
    told: list[tuple[str, float]] = []
    mask = external.run(tool, Path("water.nii.gz"), folder, progress=lambda *said: told.append(said))
    assert mask.is_file()
    assert mask.parent == folder
    assert told[-1][1] == 0.9
    assert all(what.startswith(f"{tool.title}: ") for what, _ in told)


def test_words_after_the_dashes_reach_the_tool(install: Install, folder: Path) -> None:
    install("mm_segment", 'echo "$words" > "$out/said.nii"')
    tool = external.tool_named("musclemap")
    said = external.run(tool, Path("/data/a b.nii.gz"), folder, arguments=["-s", "50"]).read_text()
    assert said.startswith("-i /data/a b.nii.gz -o ")
    assert said.endswith(" -s 50\n")


def test_a_tool_that_is_not_there_is_said_with_the_mend(install: Install, folder: Path) -> None:
    del install
    with pytest.raises(MissingExtra, match=r"no program 'TotalSegmentator' on the PATH; pip install TotalS"):
        external.run(external.tool_named("totalsegmentator"), Path("a.nii.gz"), folder)
    with pytest.raises(MissingExtra, match=r"no program '/opt/none'"):
        external.run(external.tool_named("musclemap"), Path("a.nii.gz"), folder, executable="/opt/none")
    with pytest.raises(UnknownName, match="did you mean 'musclemap'"):
        external.tool_named("muscle-map")


def test_a_failing_tool_is_told_with_its_last_words(install: Install, folder: Path) -> None:
    install("mm_segment", 'i=0; while [ $i -lt 40 ]; do echo "line $i"; i=$((i+1)); done; exit 3')
    with pytest.raises(MyoproofError, match=r"MuscleMap failed \(exit code 3\)\n  \| line 28") as caught:
        external.run(external.tool_named("musclemap"), Path("a.nii.gz"), folder)
    assert "line 39" in str(caught.value)
    assert "line 27" not in str(caught.value)


def test_a_killed_tool_is_told(install: Install, folder: Path) -> None:
    install("mm_segment", "kill -9 $$")
    with pytest.raises(MyoproofError, match="killed by signal 9, perhaps for want of memory"):
        external.run(external.tool_named("musclemap"), Path("a.nii.gz"), folder)


def test_no_mask_and_several_masks_are_faults(install: Install, folder: Path) -> None:
    """mm_segment logs the failure of an image and still ends with exit code 0."""
    tool = external.tool_named("musclemap")
    install("mm_segment", "echo 'ERROR - Error processing a.nii.gz'")
    with pytest.raises(MyoproofError, match=r"left no mask\n  \| ERROR - Error processing"):
        external.run(tool, Path("a.nii.gz"), folder)
    install("mm_segment", 'touch "$out/a_dseg.nii.gz" "$out/b_dseg.nii.gz"')
    with pytest.raises(MyoproofError, match="left 2 masks"):
        external.run(tool, Path("a.nii.gz"), folder)


@pytest.mark.parametrize("silent", [False, True], ids=["still talking", "with its output closed"])
def test_a_slow_tool_and_its_children_are_stopped(silent: bool, install: Install, folder: Path) -> None:
    close = "exec >&- 2>&-" if silent else "echo loading weights"
    install("mm_segment", f'{close}; (sleep 2; touch "$out/late.nii.gz") & sleep 30')
    started = time.monotonic()
    with pytest.raises(MyoproofError, match=r"took longer than 0.00833 min and was stopped"):
        external.run(external.tool_named("musclemap"), Path("a.nii.gz"), folder, limit_s=0.5)
    assert time.monotonic() - started < 2.0
    time.sleep(max(0.0, 2.2 - (time.monotonic() - started)))
    assert not list(folder.iterdir())


def test_a_child_that_stays_behind_does_not_hold_us_up(install: Install, folder: Path) -> None:
    install("mm_segment", 'echo x > "$out/a_dseg.nii.gz"; sleep 30 & exit 0')
    started = time.monotonic()
    external.run(external.tool_named("musclemap"), Path("a.nii.gz"), folder)
    assert time.monotonic() - started < 10.0


def test_a_muscle_that_was_not_found_keeps_its_name_and_far_ones_do_not() -> None:
    scheme = read_scheme("musclemap")
    names, findings = external.named(np.array([[[7101, 6121]]], np.uint16), scheme)
    assert names[7141] == ("sartorius", "left")
    assert names[6121] == ("gluteus_maximus", "left")
    assert not {1101, 6101} & set(names)
    assert findings == []
