"""Motion of the whole view in a cine, told by kind: jumps, shaking, and slow gross movement."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

JUMP_PX, SHAKE_PX, GROSS_PX = 4.0, 0.45, 8.0
"""Pixels (of frames at most 320 wide): a step within 0.2 s that stays; root mean square beyond a moving mean
of 0.25 s, over a second; range within 2 s of what depths do against each other. Set on simulated cines."""


@dataclass(frozen=True, slots=True)
class ViewMotion:
    """What the whole view did.

    Parameters
    ----------
    flags : frozenset of str
        ``probe_motion``, ``pseudotremor``, ``gross_motion``.
    jump_px, shake_px, gross_px : float
        The largest of each.
    """

    flags: frozenset[str]
    jump_px: float
    shake_px: float
    gross_px: float


def view_motion(whole: npt.NDArray[np.float32], inside: Bools, rate_hz: float) -> ViewMotion:
    """Jumps (a slipping probe), shaking (pseudotremor) and gross movement (a contraction) of the view.

    Parameters
    ----------
    whole : ndarray, shape (frame - 1, row, col, 2)
        Steps of the view at each cell.
    inside : ndarray of bool, shape (row, col)
        Cells that show tissue.
    rate_hz : float
        Frames per second.

    Examples
    --------
    >>> import numpy as np
    >>> steps = np.zeros((90, 4, 4, 2), np.float32)
    >>> steps[40:43, ..., 0] = 4.0
    >>> sorted(view_motion(steps, np.ones((4, 4), bool), 30.0).flags)
    ['probe_motion']
    """
    steps = whole.astype(np.float64) * inside[..., None]
    rows = np.maximum(inside.sum(axis=1), 1)
    by_depth = np.cumsum(steps.sum(axis=2) / rows[:, None], axis=0)
    seen = np.flatnonzero(inside.any(axis=1))
    if seen.size == 0 or by_depth.shape[0] < 8:
        return ViewMotion(frozenset(), 0.0, 0.0, 0.0)
    path = by_depth[:, seen].mean(axis=1)
    jump = _jump(path, rate_hz)
    shake = _shake(path, rate_hz)
    against = by_depth[:, seen[int(0.8 * (seen.size - 1))]] - by_depth[:, seen[int(0.2 * (seen.size - 1))]]
    gross = _widest(against, round(2.0 * rate_hz))
    limits = {
        "probe_motion": jump >= JUMP_PX,
        "pseudotremor": shake >= SHAKE_PX,
        "gross_motion": gross >= GROSS_PX,
    }
    return ViewMotion(frozenset(name for name, met in limits.items() if met), jump, shake, gross)


def _jump(path: Floats, rate_hz: float) -> float:
    """Largest step within 0.2 s between the 0.4 s before and after, less what moves within these."""
    short, long = max(1, round(0.2 * rate_hz)), max(2, round(0.4 * rate_hz))
    sizes = []
    for k in range(long, path.shape[0] - short - long):
        before, after = path[k - long : k], path[k + short : k + short + long]
        step = np.linalg.norm(np.median(after, axis=0) - np.median(before, axis=0))
        sizes.append(step - np.linalg.norm(np.ptp(before, axis=0)) - np.linalg.norm(np.ptp(after, axis=0)))
    return float(max(sizes, default=0.0))


def _shake(path: Floats, rate_hz: float) -> float:
    width = max(3, round(0.25 * rate_hz) | 1)
    kernel = np.ones(width) / width
    rest = np.stack([axis - np.convolve(axis, kernel, mode="same") for axis in path.T], axis=1)
    rest[: width // 2], rest[-(width // 2) :] = 0.0, 0.0
    power = np.clip((rest**2).sum(axis=1), 0.0, 4.0)
    second = max(1, min(round(rate_hz), power.size))
    return float(
        np.sqrt(np.median(np.lib.stride_tricks.sliding_window_view(power, second), axis=1).max() * 2.0)
    )


def _widest(course: Floats, frames: int) -> float:
    """Largest range within a window, over the components."""
    frames = min(frames, course.shape[0])
    windows = np.lib.stride_tricks.sliding_window_view(course, frames, axis=0)
    return float(np.linalg.norm(np.ptp(windows, axis=-1), axis=-1).max())
