"""What the settings of a scan say about T1 weighting: its protocol, and published relaxation."""

from collections.abc import Mapping
from typing import Final

from myoproof.numerics.t1_weighting import Protocol, Relaxation

T1_S: Final = ((1.0, 2.0, 1.130, 0.288), (2.0, 4.0, 1.420, 0.371))
"""Field strengths from and below (T), T1 of muscle water and of fat (s). Gold et al., AJR 2004;183:343, 1.5
and 3 T; SDs between subjects at other than 3 T are taken to scale with T1 (proposal)."""


def protocol_of(settings: Mapping[str, float]) -> Protocol | None:
    """The protocol that T1 weighting depends on; None where repetition time or flip angle is not known."""
    repetition, angle = settings.get("repetition_time_s", 0.0), settings.get("flip_angle_deg", 0.0)
    return Protocol(repetition, angle) if repetition > 0 and angle > 0 else None


def relaxation_of(settings: Mapping[str, float], given: Relaxation | None = None) -> Relaxation | None:
    """T1 and B1 to correct with: those given, else those of the field strength; None where unknown."""
    if given is not None:
        return given
    plain = Relaxation()
    strength = settings.get("field_strength_t", 0.0)
    for low, high, water, fat in T1_S:
        if low <= strength < high:
            return Relaxation(
                water,
                fat,
                t1_water_sd_s=plain.t1_water_sd_s * water / plain.t1_water_s,
                t1_fat_sd_s=plain.t1_fat_sd_s * fat / plain.t1_fat_s,
            )
    return None
