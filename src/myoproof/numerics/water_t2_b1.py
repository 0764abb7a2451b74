"""The transmit field from the echoes themselves: local likelihood, because the field is smooth."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.numerics.water_t2 import Known, fit
from myoproof.numerics.water_t2_dictionary import Dictionary

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

NODES = np.arange(0.50, 1.36, 0.05)
"""Transmit fields at which the likelihood is computed."""
LENGTH_MM = 25.0
"""Full width at half maximum of the neighbourhood (proposal: fields vary over 100 mm in a thigh at 3 T)."""
CELL_MM = 6.0
"""In-plane side of the cells in which likelihoods are added."""
MOST_SAMPLES = 24_000
MOST_MISFIT = 12.0
"""A voxel that fits badly at a node pulls no harder than this (twice the log likelihood)."""
SIGMA_PER_WIDTH = 1.0 / 2.3548200450309493
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class Field:
    """A transmit field.

    Parameters
    ----------
    b1, b1_sd : ndarray, shape (x, y, z), float32
        Field over the nominal one, and its SD from the curvature of the likelihood; both everywhere, far from
        any sampled voxel as at the nearest one.
    """

    b1: Floats32
    b1_sd: Floats32


def local_field(
    values: Floats32,
    mask: Bools,
    dictionary: Dictionary,
    *,
    spacing_mm: npt.ArrayLike,
    noise_sd: float,
    known: Known = Known(),  # noqa: B008 - frozen
    threads: int = 1,
) -> Field:
    """Transmit field by maximum local likelihood.

    Parameters
    ----------
    values : ndarray, shape (x, y, z, echo), float32
        Magnitudes.
    mask : ndarray of bool, shape (x, y, z)
        Voxels that may be asked: muscle and other watery tissue.
    dictionary : Dictionary
        Signals of the echoes.
    spacing_mm : array_like, shape (3,)
        Voxel spacing.
    noise_sd : float
        Of the real part.
    known : Known
        Fat share and its SD as arrays over the grid, or numbers; the field's own entries are not used.
    threads : int
        The answer is the same for any number.

    Returns
    -------
    Field
        In an even spread of voxels the misfit is computed at fixed fields, everything else fitted; misfits
        are added over a Gaussian neighbourhood and the sum's minimum taken. Fields on either side of 180
        degrees, which one voxel can hardly tell apart, are told by the neighbourhood.

    References
    ----------
    Tibshirani R, Hastie T. J Am Stat Assoc 1987;82:559 (local likelihood).
    """
    places = np.flatnonzero(mask.ravel())
    if places.size == 0:
        shape = mask.shape
        return Field(np.ones(shape, dtype=np.float32), np.full(shape, np.inf, dtype=np.float32))
    every = max(1, round(places.size / MOST_SAMPLES))
    chosen = places[every // 2 :: every]
    samples = np.ascontiguousarray(values.reshape(-1, values.shape[3])[chosen])
    own = _sampled(known, chosen, mask.shape)
    misfits = np.stack(
        [
            fit(
                samples,
                dictionary,
                noise_sd=noise_sd,
                known=replace(own, b1=node, b1_sd=0.0),
                threads=threads,
            ).misfit
            for node in NODES
        ],
        axis=-1,
    ).astype(np.float64)
    good = np.isfinite(misfits).all(axis=1)
    misfits = np.minimum(misfits[good] - misfits[good].min(axis=1, keepdims=True), MOST_MISFIT)
    return _pooled(misfits * every, chosen[good], mask.shape, np.asarray(spacing_mm, dtype=np.float64))


def _sampled(known: Known, chosen: npt.NDArray[np.intp], shape: tuple[int, ...]) -> Known:
    def own(of: npt.ArrayLike) -> npt.ArrayLike:
        array = np.asarray(of)
        return array.reshape(-1)[chosen] if array.shape == shape else of

    return replace(known, fat_share=own(known.fat_share), fat_share_sd=own(known.fat_share_sd))


def _pooled(
    misfits: Floats, chosen: npt.NDArray[np.intp], shape: tuple[int, ...], spacing_mm: Floats
) -> Field:
    """Add misfits over neighbourhoods on a grid of cells and interpolate the minimum to the voxels."""
    steps = np.maximum(1, np.floor(CELL_MM / spacing_mm)).astype(int)
    cells = np.unravel_index(chosen, shape)
    counts = tuple(int(-(-n // step)) for n, step in zip(shape, steps, strict=True))
    flat = np.ravel_multi_index(
        tuple(index // step for index, step in zip(cells, steps, strict=True)), counts
    )
    total = np.stack(
        [np.bincount(flat, column, np.prod(counts)).reshape(counts) for column in misfits.T], axis=-1
    )
    sigma = [LENGTH_MM * SIGMA_PER_WIDTH / width for width in steps * spacing_mm]
    height = np.prod([np.sqrt(2.0 * np.pi) * max(s, 1.0 / np.sqrt(2.0 * np.pi)) for s in sigma])
    weight = ndimage.gaussian_filter(
        np.bincount(flat, minlength=int(np.prod(counts))).reshape(counts).astype(np.float64),
        sigma,
        mode="constant",
    )
    total = ndimage.gaussian_filter(total, [*sigma, 0.0], mode="constant") * height
    b1, sd = _minimum(total)
    far = weight * height < LEAST_WEIGHT
    if far.any() and not far.all():
        nearest = ndimage.distance_transform_edt(
            far, sampling=steps * spacing_mm, return_distances=False, return_indices=True
        )
        b1, sd = b1[tuple(nearest)], sd[tuple(nearest)]
    return Field(*(_to_voxels(part, shape, steps) for part in (b1, sd)))


def _minimum(total: Floats) -> tuple[Floats, Floats]:
    """Place of the smallest sum along the last axis by a parabola, and its SD."""
    best = np.clip(total.argmin(axis=-1), 1, NODES.size - 2)
    before, here, behind = (
        np.take_along_axis(total, (best + step)[..., None], axis=-1)[..., 0] for step in (-1, 0, 1)
    )
    bend = np.maximum(before - 2.0 * here + behind, 1e-9)
    step = float(NODES[1] - NODES[0])
    shift = np.clip(0.5 * (before - behind) / bend, -1.0, 1.0)
    return NODES[best] + step * shift, step * np.sqrt(2.0 / bend)


def _to_voxels(cells: Floats, shape: tuple[int, ...], steps: npt.NDArray[np.int_]) -> Floats32:
    out = cells
    for axis, (n, step) in enumerate(zip(shape, steps, strict=True)):
        if step > 1:
            position = (np.arange(n) + 0.5) / step - 0.5
            low = np.clip(np.floor(position).astype(int), 0, max(out.shape[axis] - 2, 0))
            high = np.minimum(low + 1, out.shape[axis] - 1)
            part = np.clip(position - low, 0.0, 1.0).reshape([-1 if a == axis else 1 for a in range(3)])
            out = np.take(out, low, axis=axis) * (1 - part) + np.take(out, high, axis=axis) * part
    return np.asarray(out, dtype=np.float32)
