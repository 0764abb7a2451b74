"""Smooth fields over a simulated image: main and transmit field, susceptibility, receive coils, phase."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.phantoms import dixon_constants as anatomy_const
from myoproof.phantoms import multiecho_constants as const
from myoproof.phantoms.dixon_anatomy import Anatomy
from myoproof.phantoms.multiecho_physics import Physics
from myoproof.phantoms.smooth import smooth_field

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Complexes = npt.NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Fields:
    """What the machine does to each place of the image.

    Parameters
    ----------
    field_hz : ndarray, shape (x, y, slice, sub-slice), float32
        Off-resonance, positive where precession is faster.
    b1 : ndarray, shape (x, y, slice), float32
        Transmit field, 1 = nominal.
    gain : ndarray, same shape, float32
        Receive field of all coils together, mean about 1.
    phase : ndarray, same shape, complex64
        Initial phase, absolute value 1.
    """

    field_hz: Images
    b1: Images
    gain: Images
    phase: Complexes


def sample_fields(
    axes_mm: Sequence[Floats],
    susceptibility_ppm: Images,
    body: npt.NDArray[np.bool_],
    physics: Physics,
    *,
    rng: np.random.Generator,
) -> Fields:
    """Draw the fields of one image.

    Parameters
    ----------
    axes_mm : sequence of ndarray
        Positions along x, y, and z of every sub-slice, shape (slice, sub-slice).
    susceptibility_ppm : ndarray, shape (x, y, slice), float32
        Against air.
    body : ndarray of bool, same shape
        Where the largest field is counted.
    physics : Physics
        Field strength, largest field, transmit field.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Fields
    """
    field_rng, b1_rng, gain_rng, phase_rng = rng.spawn(4)
    x_mm, y_mm, z_mm = axes_mm
    middles = [x_mm, y_mm, z_mm.mean(axis=1)]
    local = _susceptibility_hz(susceptibility_ppm, physics, rng=field_rng)
    local -= np.float32(np.median(local[body]))
    local = _spread(local, body)
    smooth = smooth_field([x_mm, y_mm, z_mm.ravel()], const.FIELD_LENGTH_MM, rng=field_rng)
    smooth = smooth.reshape(*body.shape, -1)
    smooth = smooth / np.abs(smooth[body]).max()
    room = max(physics.field_hz - float(np.abs(local[body]).max()), 0.0)
    field = local[..., None] + np.float32(room) * smooth
    field *= np.float32(physics.field_hz / max(float(np.abs(field[body]).max()), 1e-6))
    change = smooth_field(middles, (const.B1_LENGTH_MM,) * 3, rng=b1_rng)
    log_gain = smooth_field(middles, (anatomy_const.COIL_LENGTH_MM,) * 3, rng=gain_rng)
    angle = smooth_field(middles, (const.COIL_PHASE_LENGTH_MM,) * 3, rng=phase_rng)
    return Fields(
        field,
        np.asarray(physics.b1 * (1 + physics.b1_sd * change), dtype=np.float32),
        np.asarray(np.exp(np.float32(anatomy_const.COIL_SD) * log_gain), dtype=np.float32),
        np.exp(np.complex64(1j * const.COIL_PHASE_RAD) * angle).astype(np.complex64),
    )


def susceptibility_ppm(anatomy: Anatomy) -> Images:
    """Susceptibility against air of one leg on its grid, shape (x, y, slice)."""
    table = const.SUSCEPTIBILITY_PPM
    middle = anatomy.marrow_mm.shape[-1] // 2
    femur = anatomy.distance_mm[anatomy_const.STRUCTURES.index("femur"), ..., middle]
    subcutaneous = (anatomy.fascia_mm >= 0) & (anatomy.skin_mm < -anatomy_const.SKIN_MM)
    out = np.where(subcutaneous, table["fat"], 0.0)
    out = np.where(femur < 0, table["bone"], out)
    out = np.where(anatomy.marrow_mm[..., middle] < 0, table["fat"], out)
    return np.asarray(np.where(anatomy.skin_mm < 0, out - table["air"], 0.0), dtype=np.float32)


def _susceptibility_hz(ppm: Images, physics: Physics, *, rng: np.random.Generator) -> Images:
    """Field of a susceptibility that is taken to go on along the leg, which is tilted against the main field.

    Dipole kernel 1/3 - (k.b)^2 / k^2 with k in plane (Marques and Bowtell, Concepts Magn Reson B 2005;25:65).
    """
    tilt = const.TILT_RAD[0] + const.TILT_RAD[1] * rng.standard_normal()
    turn = rng.uniform(0, 2 * np.pi)
    shape = [2 * n for n in ppm.shape[:2]]
    kx, ky = np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1]), indexing="ij")
    along = np.sin(tilt) * (np.cos(turn) * kx + np.sin(turn) * ky)
    squared = kx**2 + ky**2
    squared[0, 0] = 1.0
    kernel = 1.0 / 3.0 - along**2 / squared
    spectrum = np.fft.rfft2(ppm, s=shape, axes=(0, 1)) * kernel[..., None]
    shifted = np.fft.irfft2(spectrum, s=shape, axes=(0, 1))[: ppm.shape[0], : ppm.shape[1]]
    hertz_per_ppm = const.GYROMAGNETIC_MHZ_PER_T * physics.field_strength_t
    return np.asarray(hertz_per_ppm * shifted, dtype=np.float32)


def _spread(values: Images, body: npt.NDArray[np.bool_]) -> Images:
    """Values of the body, and in air those of the nearest body voxel of the slice: voxels of its edge mix."""
    out = values.copy()
    for k in range(values.shape[2]):
        if body[:, :, k].any():
            near = ndimage.distance_transform_edt(~body[:, :, k], return_distances=False, return_indices=True)
            out[:, :, k] = values[:, :, k][tuple(near)]
    return out


def coils(shape: tuple[int, int], n_coils: int, *, rng: np.random.Generator) -> Complexes:
    """Relative sensitivities of coils around the image, shape (x, y, coil); squares add to 1 everywhere."""
    x, y = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    angle = 2 * np.pi * (np.arange(n_coils) + rng.uniform()) / n_coils
    distance = np.hypot(x[..., None] - 1.3 * np.cos(angle), y[..., None] - 1.3 * np.sin(angle))
    own = np.exp(-((distance / 1.2) ** 2)) * np.exp(1j * (rng.uniform(0, 2 * np.pi, n_coils) + distance))
    return np.asarray(own / np.linalg.norm(own, axis=-1, keepdims=True), dtype=np.complex64)
