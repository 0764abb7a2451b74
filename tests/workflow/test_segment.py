"""Muscles from files to files: mask, certainty, confidence table and label scheme lie side by side."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.cli.app import main
from myoproof.core.table import read_table
from myoproof.delivery.nifti import write
from myoproof.errors import InvalidInput, OutOfDomain
from myoproof.phantoms import dixon
from myoproof.sources import nifti
from myoproof.workflow import regions, segment

COARSE = dixon.ThighParams(pattern="als", voxel_mm=2.0, matrix=(108, 98), n_slices=3, gap_mm=40.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fat and water of two simulated thighs."""
    folder = tmp_path_factory.mktemp("thigh")
    scan = dixon.bilateral(rng=np.random.default_rng(3), params=COARSE).acquisition.payload
    for name, image in scan.channels.items():
        write(image, scan.affine, folder / f"{name}.nii.gz")
    return folder


def test_mask_certainty_and_table(folder):
    scan = segment.read_images(folder / "fat.nii.gz", folder / "water.nii.gz", None)
    told = []
    out = folder / "mask.nii.gz"
    frame = segment.thigh_muscles(scan, out, progress=lambda *said: told.append(said[1]))
    labels, affine = nifti.read_mask(out)
    assert set(np.unique(labels)) == set(range(12))
    assert np.allclose(affine, scan.payload.affine)
    certainty = nifti.read_image(folder / "mask.certainty.nii.gz").payload
    image = next(iter(certainty.channels.values()))
    assert image.shape == labels.shape
    assert 0 <= image.min() < image.max() <= 1.0001
    written = pd.read_csv(folder / "mask.confidence.csv", keep_default_na=False)
    assert written["site"].tolist() == frame["site"].tolist()
    assert len(frame) == 22
    assert set(frame["side"]) == {"left", "right"}
    assert frame["expected_dice"].between(0, 1).all()
    assert set(frame["flags"]) == {""}
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_one_image_is_enough(folder):
    scan = segment.read_images(None, None, folder / "water.nii.gz")
    frame = segment.thigh_muscles(scan, folder / "single.nii.gz", refuse=False)
    assert len(frame) >= 20


@pytest.mark.parametrize("given", [(None, None, None), ("a", None, None), ("a", "b", "c"), (None, "b", "c")])
def test_images_are_a_pair_or_one(given):
    with pytest.raises(InvalidInput, match="--image"):
        segment.read_images(*given)


def test_what_is_no_thigh_leaves_no_file(tmp_path):
    write(np.zeros((40, 40, 3), np.float32), np.diag([3.0, 3.0, 8.0, 1.0]), tmp_path / "empty.nii.gz")
    scan = segment.read_images(None, None, tmp_path / "empty.nii.gz")
    with pytest.raises(OutOfDomain):
        segment.thigh_muscles(scan, tmp_path / "mask.nii.gz")
    assert not (tmp_path / "mask.nii.gz").exists()
    frame = segment.thigh_muscles(scan, tmp_path / "mask.nii.gz", refuse=False)
    assert frame.empty
    assert not nifti.read_mask(tmp_path / "mask.nii.gz")[0].any()


@pytest.fixture
def others(folder, tmp_path, monkeypatch):
    """Puts a program on the PATH that gives these labels as its mask."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")

    def put(name, labels, affine):
        write(labels, affine, tmp_path / "theirs.nii.gz")
        path = programs / name
        take_out = 'while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done'
        path.write_text(f'#!/bin/sh\n{take_out}\n[ -d "$out" ] && out="$out/w_dseg.nii.gz"\n')
        with path.open("a") as file:
            file.write(f"cp '{tmp_path}/theirs.nii.gz' \"$out\"\n")
        path.chmod(0o755)
        return nifti.read_image(folder / "water.nii.gz").payload

    return put


def call(*words, code=0):
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert stop.value.code == code


def labels_in(folder, *numbers):
    volume = nifti.read_image(folder / "water.nii.gz").payload
    labels = np.zeros(volume.shape, np.uint16)
    for place, number in enumerate(numbers):
        labels[30 + 6 * place : 34 + 6 * place, 40:50] = number
    return labels, volume.affine


def test_masks_of_others_are_measured_by_our_names(folder, others, tmp_path, capsys):
    others("TotalSegmentator", *labels_in(folder, 1, 6, 8))
    out = tmp_path / "theirs" / "mask.nii.gz"
    call("segment", "external", "totalsegmentator", "--image", folder / "water.nii.gz", "--out", out)
    said = capsys.readouterr().out
    assert "licence number" in said
    assert "--rater totalsegmentator" in said
    scheme = out.with_name("mask.labels.csv")
    assert len(pd.read_csv(scheme)) == 8
    rows = tmp_path / "rows.csv"
    words = ["measure", "dixon", "--fat", folder / "fat.nii.gz", "--water", folder / "water.nii.gz"]
    words += ["--segmentation", out, "--labels", scheme, "--rater", "totalsegmentator", "--out", rows]
    call(*words)
    table = read_table(rows)
    there = table[(table["measure"] == "volume") & (table["at"] == "") & (table["side"] != "both")]
    found = there[there["absent"] == ""]
    assert set(zip(found["site"], found["side"], strict=True)) == {
        ("quadriceps", "left"), ("hamstrings", "right"), ("sartorius", "right"),
    }  # fmt: skip
    assert set(there[there["absent"] == "empty_label"]["site"]) >= {"thigh_medial_compartment"}


def test_labels_that_are_not_known_are_listed_and_kept(folder, others, tmp_path, capsys):
    others("mm_segment", *labels_in(folder, 7131, 9999))
    out = tmp_path / "mask.nii.gz"
    call("segment", "external", "musclemap", "--image", folder / "water.nii.gz", "--out", out)
    assert "warning: the tool gave labels that its scheme lacks: 9999 (120 voxels)" in capsys.readouterr().out
    scheme = pd.read_csv(tmp_path / "mask.labels.csv", keep_default_na=False).set_index("label")["site"]
    assert scheme[9999] == "unknown_9999"
    assert scheme[7131] == "rectus_femoris"


def test_a_mask_of_others_on_another_grid_is_refused_and_not_written(folder, others, tmp_path):
    labels, affine = labels_in(folder, 7131)
    others("mm_segment", labels[:-2], affine)
    with pytest.raises(InvalidInput, match="the mask has shape"):
        segment.by_others("musclemap", folder / "water.nii.gz", tmp_path / "mask.nii.gz")
    moved = affine.copy()
    moved[0, 3] += 1.0
    others("mm_segment", labels, moved)
    with pytest.raises(InvalidInput, match="differ by up to 1 mm"):
        segment.by_others("musclemap", folder / "water.nii.gz", tmp_path / "mask.nii.gz")
    assert not list(tmp_path.glob("mask*"))


def test_a_tool_that_is_not_there_leaves_one_message(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    call("segment", "external", "musclemap", "--image", folder / "water.nii.gz", "--out", "m.nii.gz", code=2)
    assert "MuscleMap is not installed here" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(("scheme", "label"), [("musclemap_thigh", 7), ("totalsegmentator_thigh", 1)])
def test_masks_that_others_made_earlier_are_read_by_scheme(scheme, label, folder, tmp_path):
    labels, affine = labels_in(folder, label)
    write(labels, affine, tmp_path / "earlier.nii.gz")
    scan = segment.read_images(folder / "fat.nii.gz", folder / "water.nii.gz", None)
    found = regions.read(tmp_path / "earlier.nii.gz", scan, labels=scheme, rater="earlier").segmentation
    assert found.names[label][0] in {"rectus_femoris", "quadriceps"}
