"""Simulated ultrasound devices: probe, beam, compression and grey map of each preset."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from myoproof.errors import UnknownName

Floats = npt.NDArray[np.float64]
Geometry = Literal["linear", "trapezoid", "curved"]


@dataclass(frozen=True, slots=True)
class Device:
    """One device with one preset. Every number is a proposal: no maker publishes these of a preset.

    Parameters
    ----------
    name : str
        As in the other simulated cohorts: ``device-a`` and so on.
    geometry : {"linear", "trapezoid", "curved"}
        Shape of the sector.
    frequency_mhz : float
        Centre frequency.
    axial_sd_mm : float
        SD of the pulse's envelope at the probe's face.
    lateral_sd_mm : float
        SD of the beam's profile in the focus.
    focus_mm, rayleigh_mm : float
        Depth of the focus, and distance from it at which the beam is wider by the square root of 2.
    dynamic_range_db : float
        Echoes from black to white.
    white_db : float
        Echo that is white at gain 0, in dB relative to a strong mirror echo (0 dB).
    grey_gamma : float
        Grey map: grey = 255 x share ** grey_gamma; 1 is linear in dB.
    tgc_alpha : float
        Attenuation that the time gain compensates, dB/(cm MHz).
    noise_db : float
        Electronic noise at the deepest row after compensation, dB.
    radius_mm : float
        Distance of the beams' common origin behind the probe's face; not used by linear probes.
    looks : int
        Independent looks at the speckle that are averaged (compounding).
    """

    name: str
    geometry: Geometry
    frequency_mhz: float
    axial_sd_mm: float
    lateral_sd_mm: float
    focus_mm: float
    rayleigh_mm: float
    dynamic_range_db: float
    white_db: float
    grey_gamma: float
    tgc_alpha: float
    noise_db: float
    radius_mm: float
    looks: int

    def lateral_sd_at(self, depth_mm: Floats) -> Floats:
        """SD of the beam's profile in mm at some depths: a Gaussian beam."""
        away = (depth_mm - self.focus_mm) / self.rayleigh_mm
        return np.asarray(self.lateral_sd_mm * np.sqrt(1.0 + away**2))

    def grey(self, echo_db: npt.NDArray[np.float32], gain_db: float) -> npt.NDArray[np.float32]:
        """Grey levels 0-255 (not rounded) of echoes in dB; the reference is never the frame itself."""
        share = 1.0 + (echo_db + np.float32(gain_db - self.white_db)) / np.float32(self.dynamic_range_db)
        share = np.clip(share, 0.0, 1.0)
        if self.grey_gamma != 1.0:
            share = share ** np.float32(self.grey_gamma)
        return np.asarray(255.0 * share, dtype=np.float32)


DEVICES = {
    device.name: device
    for device in (
        Device("device-a", "linear", 12.0, 0.110, 0.26, 18.0, 14.0, 60.0, -8.0, 1.0, 0.60, -66.0, 60.0, 1),
        Device(
            "device-b", "trapezoid", 10.0, 0.130, 0.32, 20.0, 16.0, 70.0, -6.0, 0.85, 0.58, -68.0, 90.0, 2
        ),
        Device("device-c", "linear", 9.0, 0.150, 0.36, 22.0, 16.0, 50.0, -10.0, 1.25, 0.62, -62.0, 60.0, 1),
        Device("device-d", "curved", 6.0, 0.210, 0.42, 30.0, 22.0, 65.0, -7.0, 1.0, 0.55, -64.0, 60.0, 2),
    )
}


def device(name: str, preset: str = "muscle") -> Device:
    """The device of a name, with its preset for muscle or for nerves (finer, shallow focus, compounded).

    Raises
    ------
    UnknownName
        If there is none.

    Examples
    --------
    >>> device("device-a").dynamic_range_db
    60.0
    """
    if name not in DEVICES:
        raise UnknownName(f"no simulated device {name!r}", mend=f"use one of {', '.join(DEVICES)}")
    chosen = DEVICES[name]
    if preset == "muscle":
        return chosen
    return replace(
        chosen,
        frequency_mhz=chosen.frequency_mhz * 1.5,
        axial_sd_mm=chosen.axial_sd_mm * 0.6,
        lateral_sd_mm=chosen.lateral_sd_mm * 0.45,
        focus_mm=8.0,
        rayleigh_mm=7.0,
        looks=2,
    )


def preset_of(view: str) -> str:
    """The preset that a view is scanned with."""
    return "nerve" if view == "nerve" else "muscle"
