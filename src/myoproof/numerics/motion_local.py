"""Local motion: what cells do beyond the whole view's motion, smoothed by how far each can be trusted."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.numerics.motion import Motion

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LocalParams:
    """How the motion of the whole view is taken out. Set on simulated cines of the development seeds.

    Parameters
    ----------
    doubt_px : float
        Forward-backward error at which a step counts half.
    across_cells, down_cells : float
        SD of the smoothing, in cells; fascicles lie across.
    rounds : int
        Rounds of the robust fit.
    noise_px : float
        Noise added to that of each cell when cells are weighed.
    most_px : float
        Longer local steps are cut off.
    """

    doubt_px: float = 0.25
    across_cells: float = 2.4
    down_cells: float = 1.6
    rounds: int = 5
    noise_px: float = 0.1
    most_px: float = 8.0


@dataclass(frozen=True, slots=True)
class LocalMotion:
    """Displacements since the first frame.

    Parameters
    ----------
    path : ndarray, shape (frame, row, col, 2), float32
        Local displacement of each cell, pixels of the matched frames; it drifts, so only differences within a
        second or so mean something.
    whole : ndarray, shape (frame - 1, row, col, 2), float32
        Steps of the whole view at each cell.
    cell_px : float
        Pixels of the matched frames from cell to cell.
    """

    path: Images
    whole: Images
    cell_px: float = 8.0


def local_motion(motion: Motion, tissue: Images, params: LocalParams = LocalParams()) -> LocalMotion:
    """Local displacement of every cell.

    Steps are median-filtered over 3 x 3 cells. The motion of the whole view is a robust fit to every step,
    linear across and cubic in depth (probe, breathing, shear of a contracting muscle). Cells that cannot be
    followed stay behind the view: each cell's share of the view's motion is taken out by regression in time.

    Parameters
    ----------
    motion : Motion
        Steps of cells.
    tissue : ndarray, shape (row, col)
        Share of each cell that shows tissue.
    params : LocalParams
        How.
    """
    trust = ((tissue > 0.5)[None] / (1.0 + (motion.doubt / params.doubt_px) ** 2)).astype(np.float32)
    steps = np.stack([_median(step - shift) for step, shift in zip(motion.step, motion.shift, strict=True)])
    rest, fitted = _without_view(steps.astype(np.float64), trust.astype(np.float64), params.rounds)
    whole = fitted + motion.shift[:, None, None, :]
    rest = rest - _lag(rest, whole) * whole
    rest = np.clip(rest, -params.most_px, params.most_px)
    noise = np.percentile(np.linalg.norm(rest, axis=-1), 70.0, axis=0)
    weight = (trust * 0.01 / (noise**2 + params.noise_px**2)).astype(np.float32)
    smooth = np.stack([_smooth(*pair, params) for pair in zip(rest.astype(np.float32), weight, strict=True)])
    start = np.zeros_like(smooth[:1])
    path = np.concatenate([start, np.cumsum(smooth, axis=0, dtype=np.float64).astype(np.float32)])
    return LocalMotion(path, whole.astype(np.float32), motion.cell_px / motion.pixel)


def _median(step: Images) -> Images:
    parts = [cv2.medianBlur(np.ascontiguousarray(step[..., axis]), 3) for axis in (0, 1)]
    return np.stack(parts, axis=-1)


def _without_view(steps: Floats, trust: Floats, rounds: int) -> tuple[Floats, Floats]:
    """Steps less the fit, and the fit; weights fall with the misfit (Cauchy)."""
    n, rows, cols, _ = steps.shape
    z, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, cols), indexing="ij")
    design = np.stack([np.ones_like(x), x, z, z**2, z**3], axis=-1).reshape(-1, 5)
    flat, base = steps.reshape(n, -1, 2), trust.reshape(n, -1)
    weight = base
    fitted = np.zeros_like(flat)
    for _ in range(rounds):
        weighed = weight[:, :, None] * design
        normal = np.einsum("tij,ik->tjk", weighed, design) + 1e-3 * np.eye(5)
        side = np.einsum("tij,tid->tjd", weighed, flat)
        fitted = np.einsum("ij,tjd->tid", design, np.linalg.solve(normal, side))
        misfit = np.linalg.norm(flat - fitted, axis=2)
        weight = base / (1.0 + (misfit / _scale(misfit, base)) ** 2)
    return (flat - fitted).reshape(steps.shape), fitted.reshape(steps.shape)


def _scale(misfit: Floats, trust: Floats) -> Floats:
    """One and a half times the median misfit of trusted cells at each step, at least 0.03 px."""
    pairs = zip(misfit, trust > 0.3, strict=True)
    medians = [np.median(one[kept]) if kept.any() else 0.0 for one, kept in pairs]
    return np.maximum(1.5 * np.asarray(medians), 0.03)[:, None]


def _lag(rest: Floats, whole: Floats) -> Floats:
    """Share of the view's motion that each cell stays behind (negative) or exceeds, per component."""
    weight = 1.0 / (1.0 + (np.linalg.norm(rest, axis=-1, keepdims=True) / 0.5) ** 2)
    above = np.sum(weight * rest * whole, axis=0)
    below = np.sum(weight * whole**2, axis=0) + 0.003 * rest.shape[0]
    return np.asarray(np.clip(above / below, -1.2, 0.5))


def _smooth(step: Images, weight: Images, params: LocalParams) -> Images:
    across, down = params.across_cells, params.down_cells
    mass = cv2.GaussianBlur(weight, (0, 0), sigmaX=across, sigmaY=down) + 0.01
    moved = cv2.GaussianBlur(step * weight[..., None], (0, 0), sigmaX=across, sigmaY=down)
    return np.asarray(moved / mass[..., None])
