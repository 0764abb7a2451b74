"""What can be set in the relaxation measure, its companions, and the constants of its interval model."""

from dataclasses import dataclass, field
from typing import Literal

from myoproof.core.acquisition import Acquisition
from myoproof.numerics.epg_pulse import Pulses, SliceProfile
from myoproof.numerics.water_t2_dictionary import FAT_T2_S, T1_FAT_S, T1_WATER_S

BOUNDARY_SD_MM = 0.21
ROUGHNESS_SD_MM = 1.0
ROUGHNESS_LENGTH_MM = 10.0
"""Border of a drawn muscle, as in the Dixon measure (proposals; see docs/measure-dixon.md)."""
FAT_T2_SD_S = 0.006
"""SD of fat's T2 over people where it was not found in the scan (proposal)."""
CALIBRATED_FAT_T2_SD_S = 0.002
"""The same where subcutaneous fat gave it (proposal)."""
FAT_FRACTION_DOUBT = 0.005
"""SD of an offset of the companion's fat fraction over scans (proposal)."""
B1_MAP_DOUBT = 0.03
"""SD of the error of a given field map (proposal)."""
B1_FIT_DOUBT = 0.01
"""What is added to the SD of a fitted field, because muscles are not even (proposal)."""
T1_SD_S = 0.150
"""SD of the T1 of muscle water over people, which saturation depends on (proposal)."""
RIM_MM = 1.0
RIM_VOXELS = 0.5
RIM_SHARE_SD = 0.62
"""Rim within the drawn border whose water is not the muscle's alone, as in the Dixon measure (proposals)."""
ALIAS_SHARE = 0.1
"""Chance that a fitted field is the other one that gives nearly the same echoes (proposal)."""
SKEW_SHARE = 0.3
"""Voxels of large SD are biased: a mean is doubted by this share of their variance over T2 (from simulated
voxels at half fat, whose bias is 0.27 to 0.35 of that)."""
REGISTRATION_MM = 0.5
"""SD of the shift between the echoes and their companion (proposal): doubts the fat fraction at borders."""


@dataclass(frozen=True, slots=True)
class Context:
    """Companions of a relaxation scan; each on its own grid.

    Parameters
    ----------
    fat : Acquisition, optional
        Volume with ``fat_fraction`` (and ``fat_fraction_sd``), or with ``fat`` and ``water``.
    field : Acquisition, optional
        Volume with ``b1`` (1 = nominal).
    threads : int
        The rows are the same for any number.
    """

    fat: Acquisition | None = None
    field: Acquisition | None = None
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of the relaxation measure.

    Parameters
    ----------
    skip : int
        Leading echoes that are left out.
    profile : Pulses or SliceProfile
        Pulses of the sequence, or measured angles across the slice.
    b1 : {"local", "voxel"}
        Where no field map is given: by local likelihood (the field is smooth), or free in every voxel.
    fat_t2_s : float
        T2 of fat where it is not calibrated.
    calibrate_fat : bool
        Find fat's T2 in voxels that are nearly all fat; needs a companion fat fraction.
    t1_water_s, t1_fat_s : float
        At the scan's field strength; the defaults are of 3 T.
    noise_sd : float
        Of the real part; 0: estimated from the images.
    largest_share, largest_sd_s : float
        Voxels with more fat, or a less certain T2, do not count.
    least_usable : float
        A muscle has a water T2 where at least this share of its voxels counts.
    level : float
        Coverage of the intervals.
    boundary_sd_mm, roughness_sd_mm, roughness_length_mm : float
        Border model, as in the Dixon measure.
    rim_mm, rim_voxels, rim_share_sd : float
        Voxels this near the drawn border (millimetres plus in-plane voxels) take the T2 of the core below;
        the difference it makes is known to this relative SD.
    fat_t2_sd_s, fat_fraction_doubt, b1_map_doubt, b1_fit_doubt, t1_sd_s, registration_mm : float
        Doubts that a whole scan shares; see the constants.
    alias_share, skew_share : float
        See the constants.
    """

    skip: int = 0
    profile: Pulses | SliceProfile = field(default_factory=Pulses)
    b1: Literal["local", "voxel"] = "local"
    fat_t2_s: float = FAT_T2_S
    calibrate_fat: bool = True
    t1_water_s: float = T1_WATER_S
    t1_fat_s: float = T1_FAT_S
    noise_sd: float = 0.0
    largest_share: float = 0.70
    largest_sd_s: float = 0.020
    least_usable: float = 0.25
    level: float = 0.95
    boundary_sd_mm: float = BOUNDARY_SD_MM
    roughness_sd_mm: float = ROUGHNESS_SD_MM
    roughness_length_mm: float = ROUGHNESS_LENGTH_MM
    rim_mm: float = RIM_MM
    rim_voxels: float = RIM_VOXELS
    rim_share_sd: float = RIM_SHARE_SD
    fat_t2_sd_s: float = FAT_T2_SD_S
    fat_fraction_doubt: float = FAT_FRACTION_DOUBT
    b1_map_doubt: float = B1_MAP_DOUBT
    b1_fit_doubt: float = B1_FIT_DOUBT
    t1_sd_s: float = T1_SD_S
    registration_mm: float = REGISTRATION_MM
    alias_share: float = ALIAS_SHARE
    skew_share: float = SKEW_SHARE
