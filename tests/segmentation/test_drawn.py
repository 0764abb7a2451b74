"""Drawn masks: schemes read row by row, labels and grids checked against the scan."""

from pathlib import Path

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.errors import InvalidInput, UnknownName
from myoproof.segmentation import drawn
from myoproof.vocabulary.lookup import words

HUASHAN = ["SA", "RF", "VL", "VI", "VM", "AM", "GR", "BL", "ST", "SM", "BB"]
"""Order of the labels 1-11 in the label file of the published masks."""


def scan(shape=(4, 4, 3)) -> Acquisition:
    image = np.ones(shape, np.float32)
    return Acquisition("s", "m00", "", "dixon", Volume({"fat": image, "water": image}, np.eye(4)))


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scheme.csv"
    path.write_bytes(text.encode("utf-8"))
    return path


def test_huashan11_names_the_published_labels() -> None:
    scheme = drawn.read_scheme("huashan11")
    assert list(scheme) == list(range(1, 12))
    assert [words("sites")[site]["abbreviation"] for site, _ in scheme.values()] == HUASHAN
    assert {side for _, side in scheme.values()} == {""}


@pytest.mark.parametrize(
    "text",
    [
        "label,site,side\n7,gracilis,left\n8,my_own_site,\n",
        "\ufefflabel;site;side\r\n7;gracilis;left\r\n8;my_own_site;\r\n\r\n",
        "Label\tSite\tSide\n7\tgracilis\tleft\n8\tmy_own_site\n",
    ],
    ids=["comma", "semicolon with byte order mark", "tab, short row"],
)
def test_a_users_scheme_is_read(tmp_path: Path, text: str) -> None:
    assert drawn.read_scheme(write(tmp_path, text)) == {7: ("gracilis", "left"), 8: ("my_own_site", "")}


def test_the_side_column_may_be_missing(tmp_path: Path) -> None:
    assert drawn.read_scheme(write(tmp_path, "label,site\n300,sartorius\n")) == {300: ("sartorius", "")}


def test_all_faulty_rows_are_named_together(tmp_path: Path) -> None:
    rows = "0,gracilis,\nx,gracilis,\n3,,left\n4,vastus_laterallis,\n5,sartorius,port\n6,soleus,\n6,soleus,\n"
    with pytest.raises(InvalidInput) as caught:
        drawn.read_scheme(write(tmp_path, "label,site,side\n" + rows))
    text = str(caught.value)
    assert "6 faults" in text
    for part in ("row 2: label '0'", "row 3: label 'x'", "row 4: the site is empty", "did you mean 'vastus_lateralis'?",
                 "row 6: side 'port'", "row 8: label 6 occurs twice"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("text", ["", "label,site,side\n", "number,muscle\n1,gracilis\n"])
def test_a_scheme_without_labels_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput):
        drawn.read_scheme(write(tmp_path, text))


def test_a_site_with_and_without_sides_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="both with and without"):
        drawn.read_scheme(write(tmp_path, "label,site,side\n1,soleus,left\n2,soleus,\n"))


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'huashan11'"):
        drawn.read_scheme("huashan12")


def test_segment_keeps_labels_that_the_mask_lacks() -> None:
    labels = np.zeros((4, 4, 3), np.uint16)
    labels[1, 1, 1] = 7
    found = drawn.segment(scan(), labels, np.eye(4), drawn.read_scheme("huashan11"), rater="r1")
    assert found.names[11] == ("biceps_femoris_short_head", "")
    assert found.rater == "r1"


def test_labels_outside_the_scheme_shape_and_grid_are_refused_together() -> None:
    labels = np.zeros((4, 4, 2), np.uint16)
    labels[0, 0, 0], labels[1, 1, 1] = 12, 300
    affine = np.eye(4)
    affine[0, 3] = 0.5
    with pytest.raises(InvalidInput) as caught:
        drawn.segment(scan(), labels, affine, drawn.read_scheme("huashan11"), rater="")
    text = str(caught.value)
    assert "12 (1 voxels), 300 (1 voxels)" in text
    assert "shape (4, 4, 2)" in text
    assert "differ by up to 0.5 mm" in text


def test_an_image_given_as_mask_is_recognised() -> None:
    labels = np.arange(4 * 4 * 30, dtype=np.uint16).reshape(4, 4, 30)
    with pytest.raises(InvalidInput, match="is this an image rather than a mask"):
        drawn.segment(scan((4, 4, 30)), labels, np.eye(4), {1: ("soleus", "")}, rater="")
