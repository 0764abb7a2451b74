"""What can be set in echogenicity: rule of the region, texture, depth correction, calibration, level."""

from dataclasses import dataclass

from myoproof.errors import Finding, refuse
from myoproof.measures.echogenicity_calibration import Calibration
from myoproof.measures.radiomics_params import FAMILIES
from myoproof.numerics.ibsi_texture import AGGREGATIONS

RULES = ("whole", "central", "drawn")
"""How a region of interest follows from a label; the word stands in the rows' method."""
YOUNG_PER_CM = 40.5278
"""Grey levels that a centimetre of subcutaneous tissue takes off (Young 2015, Muscle Nerve 52:963)."""
CENTRAL_INSET = 0.15
"""Share of a region's thickness that ``central`` leaves out along each fascia (proposal)."""
UNSURE = 0.25
"""A segmenter's confidence below this gives absent rows, as in architecture."""
NOTHING = 0.05
"""An empty label with less confidence than this: no muscle was found; with more: the finder refused."""
DOUBTFUL = 0.5
"""Below this a row is flagged."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of echogenicity.

    Parameters
    ----------
    rules : tuple of str
        ``whole`` (the label as it is: between the fasciae), ``central`` (without the rim along the fascia),
        ``drawn`` (a region of interest that a reader drew for echogenicity, as it is).
    inset : float
        Share of the region's thickness that ``central`` leaves out at each fascia.
    texture : tuple of str
        Families of IBSI features, of the first of the rules: ``statistics``, ``histogram``, ``glcm``,
        ``glrlm``, ``zones``, ``ngtdm``, ``ngldm``; none when empty.
    bin_width : float
        Grey levels of a texture bin; bins begin at 0, so that images compare.
    aggregation : str
        How texture joins directions (one slice, so that ``2d_averaged`` or ``2d_slice_merged``).
    depth_slope_per_cm : float
        Grey levels a centimetre of ``echogenicity_depth_corrected``; the number stands in the method. 0: no
        such rows.
    calibrations : tuple of Calibration
        Phantom calibrations of devices and presets; those that fit give ``echogenicity_backscatter``.
    bone_sites : tuple of str
        Muscles that lie on bone in the views used, for ``bone_echo``.
    least_pixels : int
        Smaller regions have absent rows.
    level : float
        Coverage of the intervals.
    """

    rules: tuple[str, ...] = ("whole", "central")
    inset: float = CENTRAL_INSET
    texture: tuple[str, ...] = ("statistics", "glcm")
    bin_width: float = 8.0
    aggregation: str = "2d_slice_merged"
    depth_slope_per_cm: float = YOUNG_PER_CM
    calibrations: tuple[Calibration, ...] = ()
    bone_sites: tuple[str, ...] = ("brachialis", "vastus_intermedius", "biceps_brachii", "tibialis_anterior")
    least_pixels: int = 100
    level: float = 0.95


def check(params: Params) -> None:
    """Refuse settings that mean nothing, all together.

    Parameters
    ----------
    params : Params
        Settings.

    Raises
    ------
    InvalidInput
        Naming every such setting.
    """
    findings = [
        Finding(
            "error",
            "setting",
            f"{name} has no {', '.join(map(repr, odd))}",
            mend=f"known: {', '.join(known)}",
        )
        for name, given, known in (
            ("rules", params.rules, RULES),
            ("texture", params.texture, FAMILIES),
            ("aggregation", (params.aggregation,), tuple(AGGREGATIONS)),
        )
        if (odd := [word for word in given if word not in known])
    ]
    if not params.rules:
        findings.append(Finding("error", "setting", "rules is empty", mend=f"known: {', '.join(RULES)}"))
    for name, value, low, high in (
        ("inset", params.inset, 0.0, 0.5),
        ("level", params.level, 0.0, 1.0),
        ("bin_width", params.bin_width, 0.0, 256.0),
    ):
        if not low < value < high:
            findings.append(
                Finding("error", "setting", f"{name} must lie between {low:g} and {high:g}, got {value:g}")
            )
    refuse(findings, where="echogenicity")
