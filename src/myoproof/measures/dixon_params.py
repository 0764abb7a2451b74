"""What can be set in the Dixon measure, and the constants of its interval model with their provenance."""

from dataclasses import dataclass, replace
from typing import Any

BOUNDARY_SD_MM = 0.21
"""SD of a muscle's common boundary offset (proposal; see docs/measure-dixon.md for its calibration)."""
ROUGHNESS_SD_MM = 1.0
"""SD of the local displacement of a drawn boundary (proposal, same provenance)."""
ROUGHNESS_LENGTH_MM = 10.0
"""Integral correlation length of that displacement along the boundary (proposal, same provenance)."""
RIM_MM = 1.0
RIM_VOXELS = 0.5
"""Depth of the rim within the drawn border that holds foreign tissue: what drawing adds, in mm, and what
partial volume adds, in in-plane voxels (proposals, same provenance)."""
RIM_SHARE_SD = 0.62
"""SD of the rim's foreign share about 1, as a part of it (proposal, same provenance)."""
FLOOR_SHARE_SD = 0.33
"""Relative SD of the correction for the noise floor (proposal, same provenance)."""
GAP_SPACING_MM = 10.0
"""Slices farther apart than this are taken to have gaps (proposal): a NIfTI header states no slice thickness,
and contiguous muscle Dixon protocols use 10 mm or less."""
NETWORKS = ("thigh@",)
"""Raters that are networks of this product."""
PREDICTED: dict[str, Any] = {
    "boundary_sd_mm": 0.34,
    "fat_doubt": 6.5,
    "boundary_mean_mm": -0.6,
    "roughness_sd_mm": 0.7,
    "rim_mm": 2.0,
    "contents_share": 0.55,
}
"""Border model of their masks, from simulated development thighs (proposals; see docs/multiecho.md)."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of the Dixon measure.

    Parameters
    ----------
    side_by_side : bool
        Add rows with side ``both`` over the union of a site's voxels.
    level : float
        Coverage of the intervals.
    boundary_sd_mm, boundary_mean_mm : float
        SD and mean of the offset between a muscle's true and drawn boundary, along its normal, outward
        positive (a positive mean: muscles are drawn too small).
    fat_doubt : float
        How much more is doubted where fat has replaced a muscle and a network sees little: ``boundary_sd_mm``
        and ``contents_share`` grow by 1 plus this times the square of the fat fraction. 0 for drawn masks.
    rim_mm, rim_voxels, rim_share_sd : float
        Within this depth of the drawn border (millimetres plus in-plane voxels) the fat fraction is not the
        muscle's own: intervals are centred at the fat fraction of a muscle whose rim is filled from the core
        below, and the difference is known to this relative SD.
    floor_share_sd : float
        Relative SD to which the lift by the noise floor is known.
    roughness_sd_mm, roughness_length_mm : float
        SD and integral correlation length of the local displacement along the boundary, independent from
        slice to slice.
    contents_share : float
        For masks that a network made, which go astray in what they hold and not only along their border: the
        fat fraction is doubted by this times its change with the region one in-plane voxel smaller and
        larger. 0 for drawn masks.
    gap_spacing_mm : float
        Slice spacing above which ``gap_between_slices`` is flagged.
    negative_limit : float
        Share of negative voxels in a muscle above which the images are refused.
    """

    side_by_side: bool = False
    level: float = 0.95
    boundary_sd_mm: float = BOUNDARY_SD_MM
    boundary_mean_mm: float = 0.0
    fat_doubt: float = 0.0
    rim_mm: float = RIM_MM
    rim_voxels: float = RIM_VOXELS
    rim_share_sd: float = RIM_SHARE_SD
    floor_share_sd: float = FLOOR_SHARE_SD
    roughness_sd_mm: float = ROUGHNESS_SD_MM
    roughness_length_mm: float = ROUGHNESS_LENGTH_MM
    contents_share: float = 0.0
    gap_spacing_mm: float = GAP_SPACING_MM
    negative_limit: float = 0.01


def for_rater(params: Params, rater: str) -> Params:
    """The border model of whoever made the mask.

    Parameters
    ----------
    params : Params
        As asked for; a border model that was set by hand stays.
    rater : str
        A reader's pseudonym, or ``segmenter@version``.

    Returns
    -------
    Params
        With the constants PREDICTED where the mask is a network's, else as given.

    Examples
    --------
    >>> for_rater(Params(), "reader-1") == Params()
    True
    >>> for_rater(Params(), "thigh@2").boundary_sd_mm > Params().boundary_sd_mm
    True
    """
    plain = Params()
    untouched = all(getattr(params, name) == getattr(plain, name) for name in PREDICTED)
    return replace(params, **PREDICTED) if untouched and rater.startswith(NETWORKS) else params
