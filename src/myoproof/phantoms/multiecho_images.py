"""Images that a scanner makes of a simulated thigh scan: fat and water with swaps, in and opposed phase."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.phantoms import multiecho_constants as const
from myoproof.phantoms.multiecho import MultiechoPhantom
from myoproof.phantoms.multiecho_physics import Physics, fat_dephasing
from myoproof.phantoms.smooth import smooth_field

Images = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

PATCH_MM = 30.0
"""Length of the smooth field whose high parts are swapped patches. Proposal, after the noise patches of
MAGO-SP (arXiv 2502.14659)."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Where fat and water are exchanged.

    Parameters
    ----------
    side : {"left", "right", "both"}
        Which leg.
    slices : tuple of int, optional
        None is all.
    share : float
        Share of the leg: below 1 in smooth patches.
    """

    side: str = "both"
    slices: tuple[int, ...] | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class ScannerImages:
    """Fat and water as a scanner would hand them over.

    Parameters
    ----------
    acquisition : Acquisition
        Modality "dixon", channels ``fat`` and ``water``, settings of the protocol.
    swapped : ndarray of bool, shape (x, y, slice)
        Where they are exchanged.
    """

    acquisition: Acquisition
    swapped: Bools


def scanner_images(
    phantom: MultiechoPhantom, *, rng: np.random.Generator, snr: float = 50.0, swaps: Sequence[Swap] = ()
) -> ScannerImages:
    """T1-weighted fat and water magnitudes with Rician noise, exchanged where asked for.

    Parameters
    ----------
    phantom : MultiechoPhantom
        Both legs, left first.
    rng : numpy.random.Generator
        Noise and patches.
    snr : float
        Signal of fat-free muscle over the SD of the noise in each of the real and imaginary parts.
    swaps : sequence of Swap

    Returns
    -------
    ScannerImages
    """
    noise_rng, patch_rng = rng.spawn(2)
    sigma = np.float32(const.REFERENCE_SIGNAL / snr)
    fat, water = (_magnitude(image, sigma, noise_rng) for image in (phantom.maps.fat, phantom.maps.water))
    swapped = np.zeros(fat.shape, dtype=bool)
    for swap in swaps:
        swapped |= _where(swap, phantom, patch_rng)
    channels = {"fat": np.where(swapped, water, fat), "water": np.where(swapped, fat, water)}
    scan = phantom.acquisition
    volume = Volume(channels, phantom.echoes.affine)
    return ScannerImages(replace(scan, modality="dixon", payload=volume), swapped)


def phase_images(
    phantom: MultiechoPhantom, physics: Physics, *, rng: np.random.Generator, snr: float = 50.0
) -> Acquisition:
    """Magnitudes at two or three echo times, named opposed and in phase in turn.

    Parameters
    ----------
    phantom : MultiechoPhantom
        Whose true maps are imaged; decay between fine voxels is left out.
    physics : Physics
        Field strength and two or three echo times, opposed phase first.
    rng : numpy.random.Generator
        Noise.
    snr : float
        As in :func:`scanner_images`.

    Returns
    -------
    Acquisition
        Modality "dixon", channels ``opposed_phase``, ``in_phase`` and, of three echoes, ``opposed_phase_2``.
    """
    sigma = np.float32(const.REFERENCE_SIGNAL / snr)
    names = ("opposed_phase", "in_phase", "opposed_phase_2")
    channels = {}
    for name, time, turn in zip(names, physics.echo_times_s, fat_dephasing(physics), strict=False):
        mixed = np.abs(phantom.maps.water + np.complex64(turn) * phantom.maps.fat)
        decayed = mixed * np.exp(-np.float32(time) * phantom.maps.r2star)
        channels[name] = _magnitude(decayed.astype(np.float32), sigma, rng)
    scan = phantom.acquisition
    return replace(scan, modality="dixon", payload=Volume(channels, phantom.echoes.affine))


def _magnitude(image: Images, sigma: np.float32, rng: np.random.Generator) -> Images:
    noise = rng.standard_normal((2, *image.shape), dtype=np.float32) * sigma
    return np.asarray(np.hypot(image + noise[0], noise[1]), dtype=np.float32)


def _where(swap: Swap, phantom: MultiechoPhantom, rng: np.random.Generator) -> Bools:
    shape = phantom.maps.fat.shape
    where = np.zeros(shape, dtype=bool)
    middle = shape[0] // 2
    columns = {"left": slice(0, middle), "right": slice(middle, None), "both": slice(None)}[swap.side]
    where[columns, :, list(range(shape[2]) if swap.slices is None else swap.slices)] = True
    if swap.share < 1:
        spacing = phantom.echoes.spacing_mm
        axes = [width * np.arange(n) for width, n in zip(spacing, shape, strict=True)]
        texture = smooth_field(axes, (PATCH_MM,) * 3, rng=rng)
        where &= texture > np.quantile(texture[where], 1 - swap.share)
    return where
