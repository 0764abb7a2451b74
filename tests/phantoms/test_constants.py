"""Every constant has a value and a source that says what kind of source it is."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from myoproof.errors import UnknownName
from myoproof.phantoms.constants import TAGS, constant, constants


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(tree, list):
        for number, entry in enumerate(tree):
            yield from leaves(entry, f"{path}[{number}]")
    elif "value" in tree or "source" in tree:
        yield path, tree
    else:
        for key, entry in tree.items():
            yield from leaves(entry, f"{path}.{key}" if path else key)


LEAVES = dict(leaves(constants()))


@pytest.mark.parametrize("path", LEAVES)
def test_constant_is_tagged(path: str) -> None:
    assert "value" in LEAVES[path]
    source = LEAVES[path]["source"]
    assert source.split(":")[0].split()[0] in TAGS
    assert set(LEAVES[path]) <= {"value", "unit", "source", "site", "block", "measure", "region"}
    if source.startswith(("published", "tuned")):
        assert len(source) > 20, "a published figure names its paper"


def test_the_file_holds_the_published_figures() -> None:
    """Wang 2026: 288 and 166 patients, -3.84 (-5.41 to -2.27). Klickovic 2025: 20, 16, 17 and the effects."""
    assert constant("ultrasound.subjects") == {"mild": 288, "severe": 166}
    assert constant("ultrasound.alsfrs_r_label_coefficient") == {
        "estimate": -3.84,
        "low": -5.41,
        "high": -2.27,
    }
    assert constant("mri.subjects") == {"als": 20, "control": 16}
    assert constant("mri.completers") == 17


def test_shares_sum_to_one() -> None:
    for muscles in constant("mri.muscles").values():
        assert sum(share for share, _ in muscles.values()) == pytest.approx(1.0)
    assert sum(constant("ultrasound.centre_shares")) == pytest.approx(1.0)
    assert sum(constant("mri.centre")["shares"]) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["person.nothing", "nothing", "person.bulbar_share.deeper"])
def test_unknown_constant_is_refused(name: str) -> None:
    with pytest.raises(UnknownName, match="no constant"):
        constant(name)
