"""What lies above the superficial aponeurosis: its outer side, and where the skin ends."""

import cv2
import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]

THINNEST_BAND, THICKEST_BAND = 3, 18
"""Working rows between the inner and the outer side of an aponeurosis (proposal)."""
SKIN_SHARE = 0.08
"""Share of the image height within which the skin ends (proposal)."""


def band_thickness(image: npt.NDArray[np.uint8], upper: Rows, *, scale: float) -> float:
    """Thickness in image rows of the bright band above a curve: to the steepest rise of the mean profile.

    Parameters
    ----------
    image : ndarray, shape (row, col), uint8
    upper : ndarray, shape (col,)
        Inner side of the superficial aponeurosis.
    scale : float
        Working rows per image row.
    """
    heights = np.arange(0, THICKEST_BAND + 3, 0.5) / scale
    rows = (upper[None] - heights[:, None]).astype(np.float32)
    cols = np.broadcast_to(np.arange(upper.size, dtype=np.float32), rows.shape)
    strip = cv2.remap(
        image.astype(np.float32), np.array(cols), rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    seen = rows >= 0
    profile = (strip * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    smooth = cv2.GaussianBlur(profile.astype(np.float32)[None], (0, 0), 2.0)[0]
    fall = -np.gradient(smooth)
    fall[(heights * scale < THINNEST_BAND) | (heights * scale > THICKEST_BAND)] = -np.inf
    return float(heights[int(np.argmax(fall))])


def skin_end(image: npt.NDArray[np.uint8], upper: Rows) -> float:
    """Row at which the bright skin line ends: the steepest fall of the mean profile near the top, or 0."""
    rows = int(min(SKIN_SHARE * image.shape[0], 0.6 * max(float(np.median(upper)), 0.0)))
    if rows < 4:
        return 0.0
    profile = cv2.GaussianBlur(image[: rows + 2].mean(axis=1).astype(np.float32)[None], (0, 0), 1.5)[0]
    fall = -np.gradient(profile)
    row = int(np.argmax(fall))
    return float(row) if fall[row] > 1.0 else 0.0
