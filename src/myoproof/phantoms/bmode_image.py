"""The physics of a simulated B-mode picture: scatterers, point spread, attenuation, envelope, compression."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from myoproof.phantoms.bmode_beams import Beams
from myoproof.phantoms.bmode_devices import Device

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]

SIDE_LOBE_WIDTH, SIDE_LOBE_SHARE = 3.0, 0.04
"""A wider Gaussian under the beam's profile: its width in widths of the beam, and its share. Proposal."""
PULSE_GROWTH = 0.25
"""The pulse is longer by this share at the lowest row: high frequencies are attenuated more. Proposal."""
NOISE_FLOOR = 1e-6
"""Smallest echo before the logarithm."""


@dataclass(frozen=True, slots=True)
class Paint:
    """What scatters and reflects, at the samples of the beams.

    Parameters
    ----------
    speckle : ndarray, shape (sample, beam)
        Amplitude of the random scatterers: the root mean square of the echo of homogeneous tissue.
    mirror : ndarray, shape (sample, beam)
        Amplitude of what reflects in phase: fasciae, septa, perimysium, bone.
    loss_db : ndarray, shape (sample, beam)
        What the echo lost on its way beyond what the time gain gives back (shadows are large losses).
    """

    speckle: Images
    mirror: Images
    loss_db: Images


@dataclass(frozen=True, slots=True)
class Spread:
    """The depth-varying point spread function.

    Parameters
    ----------
    pulses : tuple of two ndarrays
        Axial kernels at the face and at the lowest row, unit energy.
    lateral : ndarray, shape (sample, frequency)
        Transfer function across beams at each depth, unit energy.
    mirror_gain : ndarray, shape (sample, 1)
        Brings the echo of a wide mirror to its amplitude.
    """

    pulses: tuple[Floats, Floats]
    lateral: Images
    mirror_gain: Images


def spread(device: Device, beams: Beams) -> Spread:
    """The point spread of a device on its beams: Gaussian pulse, Gaussian beam with side lobes."""
    pulses = (
        _pulse(device.axial_sd_mm / beams.sample_mm),
        _pulse(device.axial_sd_mm * (1.0 + PULSE_GROWTH) / beams.sample_mm),
    )
    width = device.lateral_sd_at(beams.depth_mm) / beams.beam_mm
    frequency = fft.fftfreq(beams.x_mm.shape[1])
    turns = 2.0 * np.pi * frequency[None, :] * width[:, None]
    transfer = (1.0 - SIDE_LOBE_SHARE) * np.exp(-0.5 * turns**2)
    transfer += SIDE_LOBE_SHARE * np.exp(-0.5 * (SIDE_LOBE_WIDTH * turns) ** 2)
    energy = np.sqrt(np.mean(transfer**2, axis=1, keepdims=True))
    far = np.linspace(0.0, 1.0, width.size)[:, None]
    mirror_gain = energy / (pulses[0].sum() + far * (pulses[1].sum() - pulses[0].sum()))
    return Spread(pulses, (transfer / energy).astype(np.float32), mirror_gain.astype(np.float32))


def echoes(paint: Paint, spread: Spread, scatterers: Complex) -> Complex:
    """Received echoes, complex, before attenuation and noise.

    Parameters
    ----------
    paint : Paint
        Amplitudes.
    spread : Spread
        Point spread function.
    scatterers : ndarray, complex64
        White complex Gaussian noise of mean square 1.

    Returns
    -------
    ndarray, complex64
        Where the amplitude is uniform, the root mean square is that amplitude at every depth.
    """
    return blurred(scatterers * paint.speckle + spread.mirror_gain * paint.mirror, spread)


def blurred(field: Complex, spread: Spread) -> Complex:
    """A field of point echoes seen through the point spread function."""
    lateral = fft.ifft(fft.fft(field, axis=1) * spread.lateral, axis=1, overwrite_x=True)
    parts = np.ascontiguousarray(lateral).view(np.float32).reshape(*lateral.shape, 2)
    near, far = (_along_beams(parts, pulse) for pulse in spread.pulses)
    share = np.linspace(0.0, 1.0, field.shape[0], dtype=np.float32)[:, None, None]
    mixed = near + share * (far - near)
    return np.ascontiguousarray(mixed).view(np.complex64)[..., 0]


def expected_db(paint: Paint, spread: Spread) -> Images:
    """Mean square of the echo at each sample in dB: what the speckle averages to, losses included."""
    power = paint.speckle**2
    width = fft.fft(np.abs(fft.ifft(spread.lateral, axis=1)) ** 2, axis=1)
    width = width / width[:, :1]
    seen = fft.ifft(fft.fft(power, axis=1) * width, axis=1).real.astype(np.float32)
    pulse = spread.pulses[0] ** 2
    seen = _along_beams(seen, pulse / pulse.sum())
    still = blurred((spread.mirror_gain * paint.mirror).astype(np.complex64), spread)
    total = np.maximum(seen, 0.0) + np.abs(still) ** 2
    return np.asarray(10.0 * np.log10(total + NOISE_FLOOR**2) - paint.loss_db, dtype=np.float32)


def received_db(
    looks: Sequence[Complex], paint: Paint, beams: Beams, device: Device, *, rng: np.random.Generator
) -> Images:
    """Envelope in dB after losses, with electronic noise that the time gain has raised with depth.

    Several looks are compounded: the mean of their squared envelopes is taken.
    """
    rise = 2.0 * device.tgc_alpha * device.frequency_mhz * (beams.depth_mm - beams.depth_mm[-1]) / 10.0
    noise = (10.0 ** ((device.noise_db + rise) / 20.0)).astype(np.float32)[:, None]
    weight = np.power(np.float32(10.0), paint.loss_db / np.float32(-20.0))
    power = np.zeros(paint.loss_db.shape, dtype=np.float32)
    for look in looks:
        heard = look * weight + white(look.shape, rng=rng) * noise
        power += heard.real**2 + heard.imag**2
    return np.asarray(10.0 * np.log10(power / np.float32(len(looks)) + np.float32(NOISE_FLOOR**2)))


def white(shape: tuple[int, ...], *, rng: np.random.Generator) -> Complex:
    """Complex Gaussian noise, independent from sample to sample, of mean square 1."""
    pairs = rng.standard_normal((*shape, 2), dtype=np.float32) * np.float32(np.sqrt(0.5))
    return np.asarray(pairs.view(np.complex64)[..., 0])


def amplitude(level_db: Images) -> Images:
    """Amplitude of a level in dB."""
    return np.asarray(np.exp(level_db * np.float32(np.log(10.0) / 20.0)), dtype=np.float32)


def _pulse(sd: float) -> Floats:
    half = int(np.ceil(4.0 * sd)) + 1
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sd) ** 2)
    return np.asarray(kernel / np.sqrt(np.sum(kernel**2)))


def _along_beams(field: Images, kernel: Floats) -> Images:
    """Each beam filtered along its samples."""
    unit = np.ones((1, 1))
    out = cv2.sepFilter2D(field, cv2.CV_32F, unit, kernel[:, None], borderType=cv2.BORDER_REFLECT)
    return np.asarray(out, dtype=np.float32)
