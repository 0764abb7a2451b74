"""The screen of a simulated device: text, depth ruler, logo and grey bar round the tissue."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Picture

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a device draws what.

    Parameters
    ----------
    margins : tuple of int
        Pixels above, below, left and right of the tissue.
    background : int
        Grey level of the screen.
    ruler : {"left", "right"}
        Side of the depth ruler.
    ruler_gap : int
        Pixels between the tissue and the ruler.
    text : {"left", "right"}
        Side of the list of settings.
    mark_within : bool
        Whether the orientation mark lies on the tissue.
    """

    margins: tuple[int, int, int, int]
    background: int
    ruler: str
    ruler_gap: int
    text: str
    mark_within: bool


LAYOUTS = {
    "device-a": Layout((56, 24, 40, 150), 0, "right", 6, "right", False),
    "device-b": Layout((48, 40, 150, 50), 12, "right", 10, "left", False),
    "device-c": Layout((60, 28, 60, 120), 0, "left", 8, "right", True),
    "device-d": Layout((64, 30, 130, 70), 48, "right", 14, "left", False),
}
INK, DIM = 235, 150
TICK_MM, LONG_TICK_MM = 5.0, 10.0
FONT = cv2.FONT_HERSHEY_SIMPLEX


def on_screen(picture: Picture, device: str, settings: dict[str, float], lines: list[str]) -> Picture:
    """A picture of tissue drawn on its device's screen.

    Parameters
    ----------
    picture : Picture
        Grey tissue with its spacing.
    device : str
        Name of the device: its layout.
    settings : dict
        Numbers that the screen tells.
    lines : list of str
        Text of the head: names, numbers and dates, as a clinic's screen shows them.

    Returns
    -------
    Picture
        Larger pixels; ``tissue`` is False on text, ruler, logo, bar and where marks cover tissue.
    """
    layout = LAYOUTS[device]
    rows, cols = picture.pixels.shape[1:3]
    top, bottom, left, right = layout.margins
    panel = np.full((rows + top + bottom, cols + left + right), layout.background, dtype=np.uint8)
    box = (slice(top, top + rows), slice(left, left + cols))
    _head(panel, lines, layout)
    _settings(panel, settings, layout, cols)
    _grey_bar(panel, layout, cols)
    spacing = picture.spacing_mm or (1.0, 1.0)
    _ruler(panel, (rows, cols), spacing[0], layout)
    screen = np.repeat(panel[None], picture.pixels.shape[0], axis=0)
    inside = np.ones((rows, cols), dtype=bool) if picture.tissue is None else picture.tissue
    screen[(slice(None), *box)] = np.where(inside, picture.pixels[..., 0], layout.background)
    tissue = np.zeros(panel.shape, dtype=bool)
    tissue[box] = inside
    if layout.mark_within:
        mark = np.zeros_like(panel)
        cv2.putText(mark, "M", (left + 8, top + 20), FONT, 0.6, INK, 2, cv2.LINE_AA)
        screen = np.where(mark > 0, mark, screen)
        tissue &= cv2.dilate(mark, np.ones((3, 3), np.uint8)) == 0
    return Picture(screen[..., None], picture.spacing_mm, picture.spacing_source, picture.times_s, tissue)


def placed(labels: npt.NDArray[np.uint16], device: str) -> npt.NDArray[np.uint16]:
    """Labels of the tissue, shape (frame, row, col), on the screen's grid."""
    top, bottom, left, right = LAYOUTS[device].margins
    return np.pad(labels, ((0, 0), (top, bottom), (left, right)))


def _head(panel: Bytes, lines: list[str], layout: Layout) -> None:
    for i, line in enumerate(lines):
        cv2.putText(panel, line, (60, 18 + 16 * i), FONT, 0.42, INK, 1, cv2.LINE_AA)
    cv2.circle(panel, (26, 24), 14, DIM, 2, cv2.LINE_AA)
    cv2.line(panel, (16, 30), (36, 18), INK, 2, cv2.LINE_AA)
    if not layout.mark_within:
        cv2.putText(panel, "o", (layout.margins[2], layout.margins[0] - 4), FONT, 0.5, INK, 2, cv2.LINE_AA)


def _settings(panel: Bytes, settings: dict[str, float], layout: Layout, cols: int) -> None:
    x = 4 if layout.text == "left" else layout.margins[2] + cols + layout.margins[3] - 96
    for i, (name, value) in enumerate(settings.items()):
        text = f"{name} {value:g}"
        cv2.putText(panel, text, (x, layout.margins[0] + 40 + 18 * i), FONT, 0.38, DIM, 1, cv2.LINE_AA)


def _grey_bar(panel: Bytes, layout: Layout, cols: int) -> None:
    x = layout.margins[2] + cols + layout.margins[3] - 18
    low, high = panel.shape[0] // 4, panel.shape[0] // 2
    ramp = np.linspace(255, 0, high - low).astype(np.uint8)
    panel[low:high, x : x + 10] = ramp[:, None]


def _ruler(panel: Bytes, shape: tuple[int, int], spacing_mm: float, layout: Layout) -> None:
    """Ticks every 5 mm from the top of the tissue, longer every 10 mm and numbered in cm every 20."""
    rows, cols = shape
    top, left = layout.margins[0], layout.margins[2]
    out = 1 if layout.ruler == "right" else -1
    start = left + cols + layout.ruler_gap if out > 0 else left - layout.ruler_gap
    for k in range(int(rows * spacing_mm / TICK_MM) + 1):
        row = top + round(k * TICK_MM / spacing_mm)
        if row >= top + rows:
            break
        long = k % round(LONG_TICK_MM / TICK_MM) == 0
        end = start + out * (8 if long else 4)
        panel[row, min(start, end) : max(start, end) + 1] = INK
        if long and k % 4 == 0 and k > 0:
            at = (end + 4, row + 4) if out > 0 else (end - 14, row + 4)
            cv2.putText(panel, str(k // 2), at, FONT, 0.36, INK, 1, cv2.LINE_AA)
