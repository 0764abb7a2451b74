"""The transmit field from the echoes themselves: local likelihood, because the field is smooth."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from myoproof.numerics.water_t2 import Known, fit
from myoproof.numerics.water_t2_dictionary import Dictionary

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

NODES = np.arange(0.50, 1.36, 0.025)
"""Transmit fields at which the likelihood is computed."""
LENGTH_MM = 25.0
"""Full width at half maximum of the neighbourhood (proposal: fields vary over 100 mm in a thigh at 3 T)."""
CELL_MM = 6.0
"""In-plane side of the cells in which likelihoods are added."""
MOST_CELLS = 8_000
"""Cells that are asked, evenly spread."""
CELL_SHARE_SD = 0.003
"""What the fat share of a cell stays uncertain by, however many voxels it joins (proposal)."""
MOST_MISFIT = 12.0
USUAL_TIMES = 5.0
USUAL_NODE = 6
"""A cell pulls no harder than this (twice the log likelihood), or than so many times what is usual six
nodes from the best."""
SIGMA_PER_WIDTH = 1.0 / 2.3548200450309493
LEAST_WEIGHT = 1e-3
FLOOR_END = 12.0
"""Magnitudes (in noise SDs) up to which the floor's inverse is tabulated; beyond, its first order."""
TYPICAL_T2_S = 0.036
LARGEST_CENTRE = 1.25
SEARCHED = (0.7, 0.9)
"""Fields whose aliases tell where the centre between them is."""
APART = 0.06
"""Minima on either side of the centre farther apart than this are two fields, not one."""
ALIAS_STEP, ALIAS_NOISE = 0.02, 0.01
"""Fields tried for an alias, and the noise relative to the signal at which it is looked for."""


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
        In cells of some voxels the misfit is computed at fixed fields, everything else fitted; misfits
        are added over a Gaussian neighbourhood and the sum's minimum taken. Fields on either side of 180
        degrees, which one voxel can hardly tell apart, are told by the neighbourhood.

    References
    ----------
    Tibshirani R, Hastie T. J Am Stat Assoc 1987;82:559 (local likelihood);
    Neyman J, Scott EL. Econometrica 1948;16:1; Koay CG, Basser PJ. J Magn Reson 2006;179:317 (floor).
    """
    if not mask.any():
        shape = mask.shape
        return Field(np.ones(shape, dtype=np.float32), np.full(shape, np.inf, dtype=np.float32))
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    steps = np.maximum(1, np.floor(CELL_MM / spacing)).astype(int)
    samples, own, cells, every = _cells(values, mask, steps, known, noise_sd)
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
    misfits = misfits[good] - misfits[good].min(axis=1, keepdims=True)
    usual = float(np.median(np.sort(misfits, axis=1)[:, USUAL_NODE])) if good.any() else 0.0
    misfits = np.minimum(misfits, max(MOST_MISFIT, USUAL_TIMES * usual))
    return _pooled(misfits * every, cells[good], mask.shape, (spacing, steps, _centre(dictionary)))


def aliases(dictionary: Dictionary, b1: npt.ArrayLike) -> Floats32:
    """The other transmit field that gives nearly the same echoes.

    Refocusing by an angle beyond 180 degrees and by one as far below it differ in the edges of the slice
    alone, so that echoes hardly tell them apart; the water T2 of both differs little.

    Parameters
    ----------
    dictionary : Dictionary
        Signals of the echoes.
    b1 : array_like
        Fields.

    Returns
    -------
    ndarray, same shape, float32
        The field on the other side whose echoes are closest, T2 and density being free; where there is none,
        the field itself.
    """
    row = int(np.abs(dictionary.log_t2 - np.log(TYPICAL_T2_S)).argmin())
    tried = dictionary.b1[:: max(1, round(0.5 * ALIAS_STEP / (dictionary.b1[1] - dictionary.b1[0])))]
    echoes = dictionary.water[row, :, 0].astype(np.float32)
    given = Known(fat_share=0.0, fat_share_sd=0.0, b1_sd=0.0)
    misfits = np.stack(
        [
            fit(echoes, dictionary, noise_sd=ALIAS_NOISE, known=replace(given, b1=float(field))).misfit
            for field in tried
        ],
        axis=1,
    )
    other = np.array(
        [_second(misfits[i], tried, field) for i, field in enumerate(dictionary.b1)], dtype=np.float64
    )
    return np.interp(np.asarray(b1, dtype=np.float64), dictionary.b1, other).astype(np.float32)


def _centre(dictionary: Dictionary) -> float:
    """The field between those that give nearly the same echoes."""
    below = dictionary.b1[(dictionary.b1 > SEARCHED[0]) & (dictionary.b1 < SEARCHED[1])]
    other = aliases(dictionary, below)
    told = other > below
    return float(np.median(0.5 * (below + other)[told])) if told.any() else LARGEST_CENTRE


def _second(misfit: Floats32, tried: Floats, field: float) -> float:
    """The second lowest minimum of a misfit, away from the field itself."""
    inner = np.flatnonzero((misfit[1:-1] < misfit[:-2]) & (misfit[1:-1] <= misfit[2:])) + 1
    away = inner[np.abs(tried[inner] - field) > ALIAS_STEP]
    return float(tried[away[misfit[away].argmin()]]) if away.size else field


def _cells(
    values: Floats32, mask: Bools, steps: npt.NDArray[np.int_], known: Known, noise_sd: float
) -> tuple[Floats32, Known, npt.NDArray[np.intp], int]:
    """Echoes of the voxels of each cell as one, what is known of them, their numbers, and one in how many.

    Every voxel has a T2 and a density of its own to be fitted beside the field, and a field that is taken
    where voxels fit best each for itself stays off however many there are (Neyman and Scott 1948). A cell has
    one T2; its mean echoes, the noise floor taken off, are so much above the noise that this does not show.
    They are scaled so that their noise is that of one voxel.
    """
    counts = _counts(mask.shape, steps)
    index = [part // step for part, step in zip(np.nonzero(mask), steps, strict=True)]
    held, member, size = np.unique(
        np.ravel_multi_index(tuple(index), counts), return_inverse=True, return_counts=True
    )
    every = max(1, -(-held.size // MOST_CELLS))

    def mean(of: Floats) -> Floats:
        return np.asarray(np.bincount(member, of, held.size) / size, dtype=np.float64)

    def over(of: npt.ArrayLike) -> Floats:
        return np.broadcast_to(np.asarray(of, dtype=np.float64), mask.shape)[mask]

    inside = values[mask]
    magnitudes = np.stack([mean(echo) for echo in inside.T.astype(np.float64)], axis=1)
    scale = float(noise_sd) or 1.0
    clean = scale * _amplitude(magnitudes / scale) if noise_sd > 0 else magnitudes
    samples = np.sqrt(size[:, None] * clean**2 + noise_sd**2)
    sd = over(known.fat_share_sd)
    joined = np.sqrt(mean(np.where(np.isfinite(sd), sd, 0.0) ** 2) / size)
    joined = np.where(joined > 0, np.hypot(joined, CELL_SHARE_SD), 0.0)
    joined[mean(~np.isfinite(sd)) > 0] = np.inf
    own = replace(known, fat_share=mean(over(known.fat_share))[::every], fat_share_sd=joined[::every])
    return samples[::every].astype(np.float32), own, held[::every], every


def _amplitude(magnitude: Floats) -> Floats:
    """The noise-free value at which a Rician magnitude has this mean; noise SD 1."""
    true = np.arange(0.0, FLOOR_END, 0.01)
    half = 0.25 * true**2
    mean = np.sqrt(0.5 * np.pi) * (
        (1.0 + 2.0 * half) * special.ive(0, half) + 2.0 * half * special.ive(1, half)
    )
    near = np.interp(magnitude, mean, true)
    far = 0.5 * (magnitude + np.sqrt(np.maximum(magnitude**2 - 2.0, 0.0)))
    return np.where(magnitude < mean[-1], near, far)


def _counts(shape: tuple[int, ...], steps: npt.NDArray[np.int_]) -> tuple[int, ...]:
    return tuple(int(-(-n // step)) for n, step in zip(shape, steps, strict=True))


def _pooled(
    misfits: Floats,
    flat: npt.NDArray[np.intp],
    shape: tuple[int, ...],
    about: tuple[Floats, npt.NDArray[np.int_], float],
) -> Field:
    """Add misfits over neighbourhoods of cells and interpolate the minimum to the voxels."""
    spacing_mm, steps, centre = about
    counts = _counts(shape, steps)
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
    b1, sd = _minimum(total, centre)
    far = weight * height < LEAST_WEIGHT
    if far.any() and not far.all():
        nearest = ndimage.distance_transform_edt(
            far, sampling=steps * spacing_mm, return_distances=False, return_indices=True
        )
        b1, sd = b1[tuple(nearest)], sd[tuple(nearest)]
    return Field(*(_to_voxels(part, shape, steps) for part in (b1, sd)))


def _minimum(total: Floats, centre: float) -> tuple[Floats, Floats]:
    """Place of the smallest sum along the last axis by a parabola, and its SD.

    There is a minimum on either side of ``centre``. A smooth field does not jump between them, so that each
    connected part in which they stand apart takes one side, that of the smaller sum over the part.
    """
    below, above = (_parabola(np.where(side, total, np.inf)) for side in (centre >= NODES, centre <= NODES))
    apart = above[0] - below[0] > APART
    parts, count = ndimage.label(apart)
    evidence = np.asarray(ndimage.sum_labels(above[2] - below[2], parts, np.arange(count + 1)))
    high = np.where(apart, evidence[parts] < 0.0, above[2] < below[2])
    return np.where(high, above[0], below[0]), np.where(high, above[1], below[1])


def _parabola(total: Floats) -> tuple[Floats, Floats, Floats]:
    """Place, SD and height of the lowest minimum; nodes that do not count are infinite."""
    best = total.argmin(axis=-1)
    held = np.isfinite(total)
    first, last = held.argmax(axis=-1), NODES.size - 1 - held[..., ::-1].argmax(axis=-1)
    middle = np.clip(best, first + 1, last - 1)
    before, here, behind = (
        np.take_along_axis(total, (middle + step)[..., None], axis=-1)[..., 0] for step in (-1, 0, 1)
    )
    bend = np.maximum(before - 2.0 * here + behind, 1e-9)
    step = float(NODES[1] - NODES[0])
    shift = np.clip(0.5 * (before - behind) / bend, -1.0, 1.0)
    height = here - 0.5 * (before - behind) * shift + 0.5 * bend * shift**2
    return NODES[middle] + step * shift, step * np.sqrt(2.0 / bend), height


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
