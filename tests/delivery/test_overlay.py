"""The quality picture: complete, deterministic, in radiological convention, and legible to machines too."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import from_rows
from myoproof.delivery import overlay
from myoproof.delivery.overlay_slices import choose, make_stack, window
from myoproof.errors import InvalidInput, NotWritable

SHAPE = (60, 40, 9)


@pytest.fixture
def scan() -> Acquisition:
    """One leg, brighter at the person's front and right; columns from right to left, rows from front to back."""
    x, y = np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij")
    leg = np.hypot(x - 30, y - 20) < 17
    water = np.where(leg, 300.0 + 200.0 * (x < 30) + 100.0 * (y < 20), 0.0)
    stack = np.repeat(water[:, :, None], SHAPE[2], axis=2).astype(np.float32)
    affine = np.diag([-2.0, -2.0, 8.0, 1.0])
    return Acquisition(
        "p1", "m00", "", "dixon", Volume({"fat": 0.2 * stack, "water": stack}, affine), digest="abc"
    )


@pytest.fixture
def mask() -> Segmentation:
    labels = np.zeros(SHAPE, np.uint16)
    labels[20:28, 10:18, 1:8] = 1
    labels[34:40, 22:30, 2:7] = 2
    return Segmentation(
        labels, np.diag([-2.0, -2.0, 8.0, 1.0]), {1: ("sartorius", ""), 2: ("my_muscle", "")}, "reader-2"
    )


@pytest.fixture
def table():
    key = {
        "subject": "p1",
        "session": "m00",
        "modality": "dixon",
        "method": "dixon",
        "rater": "reader-2",
        "side": "right",
    }
    first = {
        **key,
        "site": "sartorius",
        "level": 0.95,
        "flags": "gap_between_slices",
        "provenance": "0123456789ab",
    }
    rows = [
        {**first, "measure": "fat_fraction", "value": 0.1667, "low": 0.15, "high": 0.21},
        {**first, "measure": "fat_fraction_signal", "value": 0.17, "low": 0.15, "high": 0.2},
        {**first, "measure": "volume", "value": 14.3, "low": 12, "high": 16},
        {
            **first,
            "measure": "cross_sectional_area",
            "at": "maximum",
            "value": 256.0,
            "low": 200,
            "high": 300,
        },
        {**first, "measure": "fat_fraction", "method": "dixon:eroded", "value": 0.9},
        {
            **first,
            "measure": "fat_fraction",
            "at": "slice:7",
            "value": 0.5,
            "flags": "fat_water_swap_suspected",
        },
        {
            **key,
            "site": "my_muscle",
            "measure": "fat_fraction",
            "absent": "empty_label",
            "flags": "empty_label",
        },
    ]
    return from_rows(rows)


def text_of(path: Path) -> str:
    root = ET.parse(path).getroot()
    texts = ("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))
    return " | ".join(" ".join(text.split()) for text in texts)


def test_the_picture_says_what_the_rows_say(scan, mask, table, tmp_path: Path) -> None:
    overlay.write(scan, mask, table, tmp_path / "qc.svg")
    text = text_of(tmp_path / "qc.svg")
    for part in ("sartorius (SA)", "16.7 % (15.0\u201321.0)", "17.0 %", "2.6 cm\u00b2", "14.3 mL", "Drawn by reader-2",
                 "the region is not in the mask", "p1 \u00b7 m00", "0123456789ab", "gaps between slices", "| R |", "| L |", "| A |"):  # fmt: skip
        assert part in text, part
    assert "90.0 %" not in text


def test_it_is_one_file_with_a_name_and_a_description(scan, mask, table, tmp_path: Path) -> None:
    overlay.write(scan, mask, table, tmp_path / "qc.svg")
    svg = (tmp_path / "qc.svg").read_text(encoding="utf-8")
    links = re.findall(r'(?:href|src)="([^"]*)"', svg)
    assert all(link.startswith(("#", "data:image/png")) for link in links)
    assert sum(link.startswith("data:") for link in links) >= 6
    assert 'role="img"' in svg
    assert "sartorius right 16.7 %" in re.search(r"<desc[^>]*>(.*?)</desc>", svg).group(1)


@pytest.mark.parametrize("name", ["qc.svg", "qc.png"])
def test_the_same_input_gives_the_same_bytes(scan, mask, table, tmp_path: Path, name: str) -> None:
    overlay.write(scan, mask, table, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    overlay.write(scan, mask, table, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


@pytest.mark.parametrize("flip", [(1, 1), (-1, 1), (1, -1)])
def test_right_is_shown_left_and_front_up_however_stored(scan, mask, flip: tuple[int, int]) -> None:
    turn = (slice(None, None, flip[0]), slice(None, None, flip[1]))
    affine = scan.payload.affine @ np.diag([flip[0], flip[1], 1.0, 1.0])
    channels = {name: array[turn] for name, array in scan.payload.channels.items()}
    stack = make_stack(Volume(channels, affine), replace(mask, labels=mask.labels[turn], affine=affine))
    assert stack.ends == ("R", "L", "A", "P")
    image = stack.images["signal"][4]
    middle = image.shape[1] // 2
    assert image[:, : middle - 1].sum() > 1.3 * image[:, middle + 1 :].sum()
    assert image[: image.shape[0] // 2 - 1].sum() > 1.1 * image[image.shape[0] // 2 + 1 :].sum()
    np.testing.assert_allclose(stack.heights_mm, 8.0 * np.arange(9))


def test_coronal_and_sagittal_stacks_have_their_own_edges(scan, mask) -> None:
    for spacing, ends in (((2.0, 9.0, 2.0), ("R", "L", "S", "I")), ((9.0, 2.0, 2.0), ("A", "P", "S", "I"))):
        affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
        stack = make_stack(Volume(scan.payload.channels, affine), replace(mask, affine=affine))
        assert stack.ends == ends


def test_slices_are_quartiles_of_the_labelled_and_prefer_the_doubtful(scan, mask) -> None:
    stack = make_stack(scan.payload, mask)
    assert choose(stack, []) == [3, 4, 5]
    assert choose(stack, [7]) == [3, 4, 7]
    assert choose(stack, [4]) == [3, 4, 5]
    assert choose(stack, [8]) == [3, 4, 5]
    empty = make_stack(scan.payload, replace(mask, labels=np.zeros_like(mask.labels)))
    assert choose(empty, []) == [4]


def test_the_window_ignores_air() -> None:
    image = np.zeros((50, 50), np.float32)
    image[20:30, 20:30] = 100.0
    assert window(image) == (0.0, 100.0)
    assert window(np.zeros((5, 5), np.float32)) == (0.0, 1.0)


def test_a_suspected_swap_is_said_aloud(scan, mask, table, tmp_path: Path) -> None:
    table = table.copy()
    table.loc[0, "flags"] = "fat_water_swap_suspected"
    overlay.write(scan, mask, table, tmp_path / "qc.svg")
    text = text_of(tmp_path / "qc.svg")
    assert "Fat and water may be exchanged" in text
    assert "FAT-WATER SWAP?" in text
    assert "slice 7" in text


def test_what_cannot_be_drawn_is_refused_and_nothing_is_left(scan, mask, table, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="measure dixon first"):
        overlay.write(scan, mask, table[table["measure"] == "volume"], tmp_path / "qc.svg")
    bare = replace(scan, payload=Volume({"t1": scan.payload.channels["fat"]}, scan.payload.affine))
    with pytest.raises(InvalidInput, match="fat and water"):
        overlay.write(bare, mask, table, tmp_path / "qc.svg")
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(NotWritable):
        overlay.write(scan, mask, table, blocked / "qc.svg")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
