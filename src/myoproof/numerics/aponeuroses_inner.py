"""Inner edges of two aponeuroses: the steepest fall of brightness along each curve, to parts of a pixel."""

import cv2
import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]

REACH = 7.0
"""Working rows on either side within which the steepest change is sought (proposal)."""
BLUR = 1.3
"""SD in working rows of the derivative across the edge (proposal)."""
PRIOR_SD = 4.0
RUN = 0.06
"""Share of the width over which an edge is averaged along itself (proposal)."""
SMOOTH = 0.03


def refine(image: npt.NDArray[np.uint8], rows: Rows, *, bright_below: bool, scale: float) -> Rows:
    """Move a curve to the steepest change of brightness near it.

    Parameters
    ----------
    image : ndarray, shape (row, col), uint8
    rows : ndarray, shape (col,)
        The curve, in image rows.
    bright_below : bool
        Polarity of the change.
    scale : float
        Working rows per image row (`aponeuroses_edges.Work.scale`).

    Returns
    -------
    ndarray, shape (col,)
    """
    step = 0.5 / scale
    offsets = np.arange(-REACH / scale, REACH / scale + step / 2, step)
    grid_rows = (rows[None, :] + offsets[:, None]).astype(np.float32)
    grid_cols = np.broadcast_to(np.arange(rows.size, dtype=np.float32), grid_rows.shape)
    grey = image.astype(np.float32)
    strip = cv2.remap(grey, np.array(grid_cols), grid_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    run = max(3, int(RUN * rows.size) | 1)
    even = cv2.GaussianBlur(strip, (0, 0), sigmaX=run / 3, sigmaY=2 * BLUR)
    change = np.gradient(even, axis=0) * (1 if bright_below else -1)
    change = np.maximum(change, 0) * np.exp(-0.5 * (offsets[:, None] * scale / PRIOR_SD) ** 2)
    best = change.argmax(axis=0)
    height = change[best, np.arange(rows.size)]
    shift = offsets[best] + step * _summit(change, best)
    weight = height + 0.05 * float(height.max()) + 1e-6
    smooth = max(1.0, SMOOTH * rows.size)
    top = cv2.GaussianBlur((shift * weight)[None], (0, 0), smooth, borderType=cv2.BORDER_REFLECT)[0]
    return np.asarray(
        rows + top / cv2.GaussianBlur(weight[None], (0, 0), smooth, borderType=cv2.BORDER_REFLECT)[0]
    )


def _summit(change: npt.NDArray[np.float32], best: npt.NDArray[np.int64]) -> Rows:
    """Offset of the parabola through three neighbours, in steps."""
    cols = np.arange(change.shape[1])
    inside = np.clip(best, 1, change.shape[0] - 2)
    before, at, after = (change[inside + k, cols].astype(np.float64) for k in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend < -1e-9, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0)
    return np.where(inside == best, np.clip(shift, -0.5, 0.5), 0.0)
