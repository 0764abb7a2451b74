"""Propagation: a checked mask of an earlier visit carried to a later one, limb by limb."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from myoproof.core.acquisition import Acquisition
from myoproof.core.contracts import Progress, silent
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput
from myoproof.segmentation.propagate_frame import Frame, frame
from myoproof.segmentation.propagate_limb import Limb, follow_limb
from myoproof.segmentation.propagate_measure import Followed

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint16]

VERSION = 2
LEVEL = 0.95
NORMAL_QUANTILE = 1.959964
BORDER_SD_MM = 0.02
"""SD of a muscle's mean border between visits. Set on simulated pairs (development seeds)."""
HEIGHT_SD_MM = 0.2
"""SD of the matched height beyond what the images tell: soft tissue slides. Set on the same pairs."""
FAT_SD = 0.001
"""SD of a change of fat fraction beyond border and height. Set on the same pairs."""


@dataclass(frozen=True, slots=True)
class Propagated:
    """A mask on the later scan and what is needed to compare the visits.

    Parameters
    ----------
    segmentation : Segmentation
        On the later grid; ``confidence`` is the correlation of fat fraction, 0-1, between the later scan and
        the earlier one as it was carried over, in and around each label.
    fat_fraction : ndarray, shape (x, y, z), float32
        The earlier fat fraction on the later grid; NaN where the earlier stack did not reach.
    shift_mm : tuple of float
        How far the stack lies higher (positive) than at the earlier visit, a limb each.
    limbs : tuple of Limb
        Left first where there are two.
    """

    segmentation: Segmentation
    fat_fraction: Images
    shift_mm: tuple[float, ...]
    limbs: tuple[Limb, ...]


def propagate(
    earlier: Acquisition,
    mask: Segmentation,
    later: Acquisition,
    *,
    progress: Progress = silent,
) -> Propagated:
    """Carry a mask from an earlier to a later scan of the same person.

    Parameters
    ----------
    earlier, later : Acquisition
        Volumes with the channels ``fat`` and ``water``; any shift, matrix or spacing.
    mask : Segmentation
        Checked, on the earlier grid.
    progress : callable
        Told of the share done.

    Returns
    -------
    Propagated
        Slices that the earlier stack did not reach stay empty.

    Raises
    ------
    InvalidInput
        If a scan has no fat and water, the mask is not on the earlier grid, or the scans do not show the same
        number of limbs.
    """
    one, two = frame(earlier, "earlier"), frame(later, "later")
    if mask.labels.shape != one.volume.shape:
        raise InvalidInput("the mask is not on the earlier scan's grid", mend="give the mask of the baseline")
    if len(one.limbs) != len(two.limbs):
        raise InvalidInput(
            f"the earlier scan shows {len(one.limbs)} limb(s), the later one {len(two.limbs)}",
            mend="crop both scans to the same limbs",
        )
    labels = one.ordered(mask.labels)
    shape = two.tissue.shape
    carried, fraction = np.zeros(shape, dtype=np.uint16), np.full(shape, np.nan, dtype=np.float32)
    limbs = []
    for number, limb in enumerate(zip(one.limbs, two.limbs, strict=True)):
        progress("registration", number / len(one.limbs))
        found = follow_limb(one, two, labels, limb)
        there = limb[1][found.window]
        carried[found.window][there] = found.labels[there]
        fraction[found.window][there] = found.fraction[there]
        limbs.append(found)
    progress("registration", 1.0)
    segmentation = Segmentation(
        labels=two.restored(carried),
        affine=two.volume.affine,
        names=dict(mask.names),
        rater=f"{mask.rater}+propagate@{VERSION}",
        confidence=_confidence(carried, fraction, two),
    )
    shifts = tuple(limb.shift_mm for limb in limbs)
    return Propagated(segmentation, two.restored(fraction), shifts, tuple(limbs))


def change(mask: Segmentation, carried: Propagated) -> pd.DataFrame:
    """What has changed in the section of the limb that both visits show.

    Parameters
    ----------
    mask : Segmentation
        As given to :func:`propagate`.
    carried : Propagated
        Its answer.

    Returns
    -------
    DataFrame
        A row a muscle and side: ``volume_earlier_ml`` and ``volume_later_ml`` over the matched slices (the
        earlier areas interpolated to their heights, and what the movement of the outline made of them),
        ``volume_change`` (relative), ``fat_fraction_earlier``, ``fat_fraction_later``,
        ``fat_fraction_change`` (fractions; means over the mask, border voxels taking their fat from deeper
        ones, less the noise floor), ``*_low`` and ``*_high`` of both changes (95 %), ``agreement`` (0-1) and
        ``slices`` (matched).
    """
    sides = ("left", "right") if len(carried.limbs) == 2 else ("",)
    rows = []
    for side, limb in zip(sides, carried.limbs, strict=True):
        for label, followed in limb.muscles.items():
            site, own_side = mask.names[label]
            confidence = carried.segmentation.confidence.get(label, 0.0)
            row = {"site": site, "side": own_side or side, "slices": followed.slices}
            rows.append(row | _changed(followed, limb.shift_sd_mm) | {"agreement": confidence})
    return pd.DataFrame(rows)


def fat_change(later: Acquisition, carried: Propagated) -> Images:
    """Fat fraction later minus earlier within the carried muscles; NaN elsewhere.

    Returns
    -------
    ndarray, shape (x, y, z), float32
        On the later grid, fraction.
    """
    two = frame(later, "later")
    now = np.asarray(two.restored(two.fraction), dtype=np.float32)
    inside = carried.segmentation.labels > 0
    return np.where(inside, now - carried.fat_fraction, np.nan).astype(np.float32)


def _changed(muscle: Followed, shift_sd_mm: float) -> dict[str, float]:
    (then, now), (fat_then, fat_now) = muscle.volume_ml, muscle.fat_fraction
    height_mm = float(np.hypot(shift_sd_mm, HEIGHT_SD_MM))
    border = BORDER_SD_MM * muscle.surface_per_mm
    spread = {
        "volume_change": np.hypot(border, height_mm * muscle.volume_per_mm),
        "fat_fraction_change": np.linalg.norm(
            [FAT_SD, height_mm * muscle.fat_per_mm, border * muscle.spread]
        ),
    }
    out = {
        "volume_earlier_ml": then,
        "volume_later_ml": now,
        "fat_fraction_earlier": fat_then,
        "fat_fraction_later": fat_now,
    }
    for name, value in (("volume_change", now / then - 1), ("fat_fraction_change", fat_now - fat_then)):
        half = NORMAL_QUANTILE * float(spread[name])
        out |= {name: value, f"{name}_low": value - half, f"{name}_high": value + half}
    return out


def _confidence(carried: Labels, fraction: Images, two: Frame) -> dict[int, float]:
    """Correlation of the fat fractions in and around each label."""
    found = {}
    for label in np.unique(carried[carried > 0]):
        near = ndimage.binary_dilation(carried == label, np.ones((7, 7, 1), dtype=bool))
        near &= two.tissue & np.isfinite(fraction)
        then, now = fraction[near].astype(np.float64), two.fraction[near].astype(np.float64)
        spread = float(then.std() * now.std()) if then.size > 2 else 0.0
        value = float(np.mean((then - then.mean()) * (now - now.mean()))) / spread if spread > 0 else 0.0
        found[int(label)] = max(0.0, value)
    return found
