"""What can be set in radiomics: channel, resampling, re-segmentation, discretisation, aggregation."""

from dataclasses import dataclass

from myoproof.errors import Finding, refuse
from myoproof.numerics.ibsi_texture import AGGREGATIONS

FAMILIES = ("morphology", "local", "statistics", "histogram", "volume_histogram", "glcm", "glrlm", "zones",
            "ngtdm", "ngldm")  # fmt: skip
"""What is computed; ``zones`` are GLSZM and GLDZM."""
FEWEST_REPLICATES = 10
"""Fewer say too little of a spread."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of radiomics.

    Parameters
    ----------
    channel : str
        Channel of the image; ``fat_fraction`` is computed as fat / (fat + water) where it is no channel.
    bins : int
        Grey levels of a region between its lowest and highest value (IBSI fixed bin number, K15C), unless
        ``bin_width`` is given.
    bin_width : float, optional
        Width of a grey level in units of the channel (IBSI fixed bin size, Q3RU).
    bin_start : float, optional
        Where the first bin of fixed width begins; the lower bound of ``intensity_range``, else the region's
        minimum. Give one where regions are to be compared.
    intensity_range : (low, high), optional
        Re-segmentation: other values do not count (IBSI USB3).
    outlier_sd : float, optional
        Re-segmentation: values farther than this many SD from the region's mean do not count (IBSI 7ACA).
    resample_mm : (in plane, along slices), optional
        Trilinear resampling before anything else.
    aggregations : tuple of str
        How GLCM and GLRLM join directions and slices: ``2d_averaged`` (IBSI BTW3), ``2d_slice_merged``
        (SUJT), ``2_5d_direction_merged`` (JJUI), ``2_5d_merged`` (ZW7Z), ``3d_averaged`` (ITBB) or
        ``3d_merged`` (IAZD). The other matrices follow as 2d (8QNN), 2_5d (62GR) or 3d (KOBO).
    families : tuple of str
        What is computed.
    coarseness : int
        Grey levels that count as alike in the NGLDM (IBSI VXRR).
    volume_histogram_bins : int
        Bins of the intensity-volume histogram over a region's range.
    least_voxels : int
        Smaller regions have absent rows.
    most_levels : int
        Where a bin width makes more grey levels than this, texture is absent (matrices grow with the square).
    replicates : int
        Regions with the border moved at random that give the intervals; 0: no intervals.
    level : float
        Coverage of the intervals.
    seed : int
        Of the replicates: the same seed gives the same rows.
    """

    channel: str = "fat_fraction"
    bins: int = 32
    bin_width: float | None = None
    bin_start: float | None = None
    intensity_range: tuple[float, float] | None = None
    outlier_sd: float | None = None
    resample_mm: tuple[float, float] | None = None
    aggregations: tuple[str, ...] = ("2_5d_merged",)
    families: tuple[str, ...] = FAMILIES
    coarseness: int = 0
    volume_histogram_bins: int = 1000
    least_voxels: int = 16
    most_levels: int = 512
    replicates: int = 20
    level: float = 0.95
    seed: int = 0

    @property
    def discretisation(self) -> str:
        """The discretisation as a word of the rows' method."""
        return f"fbn{self.bins}" if self.bin_width is None else f"fbs{self.bin_width:g}"

    @property
    def resampling(self) -> str:
        """The resampling as a word of the rows' method; "" where there is none."""
        return "" if self.resample_mm is None else "{:g}x{:g}mm".format(*self.resample_mm)


def check(params: Params) -> None:
    """Refuse settings that mean nothing, all together.

    Raises
    ------
    InvalidInput
        Naming every such setting.
    """
    positive = {
        "bins": params.bins,
        "bin_width": params.bin_width,
        "outlier_sd": params.outlier_sd,
        "volume_histogram_bins": params.volume_histogram_bins,
        **({} if params.resample_mm is None else {"resample_mm": min(params.resample_mm)}),
    }
    findings = [
        Finding("error", "setting", f"{name} must be positive, got {value:g}")
        for name, value in positive.items()
        if value is not None and not value > 0
    ]
    if params.replicates < 0 or 0 < params.replicates < FEWEST_REPLICATES:
        message = f"replicates must be 0 or at least {FEWEST_REPLICATES}, got {params.replicates}"
        findings.append(Finding("error", "setting", message))
    if not 0 < params.level < 1:
        findings.append(Finding("error", "setting", f"level must lie between 0 and 1, got {params.level:g}"))
    for name, known in (("aggregations", tuple(AGGREGATIONS)), ("families", FAMILIES)):
        odd = [word for word in getattr(params, name) if word not in known]
        if odd:
            message = f"{name} has no {', '.join(map(repr, odd))}"
            findings.append(Finding("error", "setting", message, mend=f"known: {', '.join(known)}"))
    if params.intensity_range is not None and not params.intensity_range[0] < params.intensity_range[1]:
        findings.append(Finding("error", "setting", f"intensity_range {params.intensity_range} is empty"))
    low = None if params.intensity_range is None else params.intensity_range[0]
    if params.bin_start is not None and low is not None and params.bin_start > low:
        findings.append(
            Finding("error", "setting", "bin_start lies above the lower bound of intensity_range")
        )
    refuse(findings, where="radiomics")
