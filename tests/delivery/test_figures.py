"""The drawing style: deterministic, labelled, readable in colour and without it."""

import itertools
import re

import numpy as np
import pytest
from skimage.color import rgb2lab

from myoproof.delivery import figures
from myoproof.delivery.figures import ForestRow, contrast

# Machado, Oliveira & Fernandes 2009, IEEE TVCG 15:1291, table 1: severity 1.0, on linear RGB.
DEFICIENCIES = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def _draw(title: str = "A title", label: str = "Fat fraction, thigh") -> str:
    with figures.style():
        figure, (ax,) = figures.canvas(2.0)
        figures.forest(
            ax,
            [ForestRow(label, 1.05, 0.71, 1.49, ("1.05 (0.71 to 1.49)", ".012", "17"))],
            heads=("SRM", "p", "n"),
        )
        return figures.finish(figure, key="one", title=title, alt="SRM 1.05", simulated=True)


def test_the_same_figure_gives_the_same_bytes_without_date_or_program() -> None:
    first = _draw()
    assert first == _draw()
    assert "metadata" not in first
    assert not re.search(r"matplotlib v?\d|20\d\d-\d\d", first.lower())


def test_ids_carry_the_key_and_are_unique_and_resolve() -> None:
    svg = _draw()
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("one-") for name in ids)
    asked = re.findall(r'(?:href="#|url\(#)([^")]+)', svg)
    assert asked
    assert set(asked) <= set(ids)


def test_a_figure_has_a_role_a_name_and_a_description() -> None:
    svg = _draw()
    assert 'role="img" aria-labelledby="one-name one-about"' in svg
    assert '<title id="one-name">A title</title><desc id="one-about">SRM 1.05</desc>' in svg
    assert "Simulated data" in svg


def test_markup_and_mathematics_in_a_label_stay_text() -> None:
    svg = _draw(title="<script>x</script>", label="<b>$\\alpha$ & more</b>")
    assert "<script" not in svg
    assert "&lt;b&gt;$\\alpha$ &amp; more&lt;/b&gt;" in svg


@pytest.mark.parametrize("colour", figures.PALETTE)
def test_every_line_colour_stands_out_from_white(colour: str) -> None:
    assert contrast(colour, "white") >= 3, "WCAG 2.2, 1.4.11: graphical objects"


def test_text_colours_are_readable_on_white_and_on_every_cell_of_the_heat_map() -> None:
    assert contrast(figures.INK, "white") >= 7
    assert contrast(figures.MUTED, "white") >= 4.5
    for share in np.linspace(0, 1, 101):
        paper = figures.DIVERGING(share)
        assert contrast(figures.ink_on(paper), paper) >= 4.5


@pytest.mark.parametrize("deficiency", [None, *DEFICIENCIES])
def test_the_two_groups_stay_apart_for_every_eye(deficiency: str | None) -> None:
    """CIE76 difference above 20: far beyond a just noticeable one (2.3)."""
    colours = [_seen(figures.GROUPS[name][0], deficiency) for name in figures.GROUPS]
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(one - other) > 20


def test_groups_differ_in_marker_and_line_too() -> None:
    for part in range(3):
        assert len({look[part] for look in figures.GROUPS.values()}) == len(figures.GROUPS)
    assert len(set(figures.MARKERS)) == len(figures.PALETTE)


def _seen(colour: str, deficiency: str | None) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    if deficiency:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        linear = np.clip(np.array(DEFICIENCIES[deficiency]) @ linear, 0, 1)
        rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb2lab(rgb[None, None, :])[0, 0]
