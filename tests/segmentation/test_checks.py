"""Mask checks: every planted fault is found, and a clean mask is left in peace."""

from dataclasses import replace

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.segmentation.checks import check

SHAPE = (120, 60, 7)


@pytest.fixture
def scan() -> Acquisition:
    """Two legs, columns running from the person's right to the left."""
    x, y = np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij")
    legs = (np.hypot(x - 30, y - 30) < 24) | (np.hypot(x - 90, y - 30) < 24)
    image = np.repeat(np.where(legs, 500.0, 0.0)[:, :, None], SHAPE[2], axis=2).astype(np.float32)
    return Acquisition(
        "s", "", "", "dixon", Volume({"fat": image, "water": image}, np.diag([-2.0, 2.0, 5.0, 1.0]))
    )


@pytest.fixture
def mask() -> Segmentation:
    """A spindle in each leg, thin at its ends."""
    labels = np.zeros(SHAPE, np.uint16)
    for level, half in zip(range(1, 6), (2, 5, 7, 5, 2), strict=True):
        labels[30 - half : 30 + half, 30 - half : 30 + half, level] = 1
        labels[90 - half : 90 + half, 30 - half : 30 + half, level] = 2
    names = {1: ("gracilis", "right"), 2: ("gracilis", "left")}
    return Segmentation(labels, np.diag([-2.0, 2.0, 5.0, 1.0]), names, "r")


def found(scan: Acquisition, mask: Segmentation) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for finding in check(scan, mask):
        out.setdefault(finding.category, []).append(f"{finding.level} {finding}")
    return out


def changed(mask: Segmentation, place, value: int = 1) -> Segmentation:
    labels = mask.labels.copy()
    labels[place] = value
    return replace(mask, labels=labels)


def test_a_clean_mask_has_no_findings(scan, mask) -> None:
    assert found(scan, mask) == {}


@pytest.mark.parametrize(
    ("place", "value", "category", "says"),
    [
        ((20, 20, 3), 1, "pieces", "1 tiny separate pieces with 1 voxels"),
        ((slice(15, 20), slice(25, 35), 3), 1, "pieces", "2 separate pieces of"),
        ((30, 30, 3), 0, "holes", "holes in slices 3"),
        ((slice(0, 60), slice(None), 2), 0, "missing slices", "not drawn in slices 2"),
        ((slice(0, 60), slice(None), slice(4, 7)), 0, "abrupt end", "ends abruptly at slice 3"),
        ((slice(28, 32), slice(28, 32), 0), 1, "stack end", "reaches the first slice"),
        ((slice(0, 4), slice(28, 32), 3), 1, "field of view", "touches the edge of the image in slices 3"),
        ((slice(0, 4), slice(0, 12), slice(1, 6)), 1, "air", "lie in air"),
    ],
)
def test_each_fault_is_found_where_it_is(scan, mask, place, value: int, category: str, says: str) -> None:
    findings = found(scan, changed(mask, place, value))
    texts = [text for text in findings[category] if says in text]
    assert texts, findings
    assert all("gracilis right" in text for text in texts)


def test_labels_without_voxels_are_named(scan, mask) -> None:
    named = replace(mask, names={**mask.names, 9: ("soleus", "")})
    assert found(scan, named)["empty label"] == ["warning label 9 (soleus) has no voxel"]


def test_exchanged_sides_and_open_sides_are_told(scan, mask) -> None:
    exchanged = replace(mask, names={1: ("gracilis", "left"), 2: ("gracilis", "right")})
    assert len([text for text in found(scan, exchanged)["sides"] if "other side" in text]) == 2
    labels = np.where(mask.labels > 0, 1, 0).astype(np.uint16)
    opened = replace(mask, labels=labels, names={1: ("gracilis", "")})
    findings = found(scan, changed(opened, (30, 30, 3), 0))
    assert "split at columns" in findings["sides"][0]
    assert "gracilis right" in findings["holes"][0]


def test_values_that_the_measure_refuses_are_errors(scan, mask) -> None:
    fat = scan.payload.channels["fat"].copy()
    fat[28:33, 28:33, 3] = -1.0
    fat[90, 30, 3] = np.nan
    bad = replace(
        scan, payload=replace(scan.payload, channels={"fat": fat, "water": scan.payload.channels["water"]})
    )
    texts = found(bad, mask)["values"]
    assert any(text.startswith("error gracilis right: 25 of") for text in texts)
    assert any(text.startswith("error gracilis left: 1 of") and "not finite" in text for text in texts)


def test_other_shapes_and_payloads_are_refused(scan, mask) -> None:
    with pytest.raises(InvalidInput, match="has shape"):
        check(scan, replace(mask, labels=mask.labels[:-1]))
    bare = replace(scan, payload=Volume({"t1": scan.payload.channels["fat"]}, scan.payload.affine))
    with pytest.raises(InvalidInput, match="fat and water"):
        check(bare, mask)
