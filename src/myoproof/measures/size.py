"""Size: area and volume of regions on any image, where fat and water were not told apart."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import InvalidInput
from myoproof.measures import dixon
from myoproof.measures.dixon_flags import quality

__all__ = ["METHOD", "METHOD_VERSION", "Params", "image_of", "measure"]

METHOD = "size"
METHOD_VERSION = 1
SIZES = ("cross_sectional_area", "volume")
NOT_IMAGED = (
    ("fat_fraction", ""), ("functional_remaining_volume", ""), ("functional_remaining_area", "maximum"),
)  # fmt: skip
"""What needs fat and water, and where it would stand."""
OF_FAT = frozenset({"fat_water_swap_suspected", "noise_floor", "zero_signal_excluded"})
"""Flags that say something of fat and water alone."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of sizes.

    Parameters
    ----------
    border : myoproof.measures.dixon.Params
        Rows, level and border model, as of the Dixon measure.
    """

    border: dixon.Params = field(default_factory=lambda: dixon.Params(side_by_side=True))


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),
) -> Table:
    """Area and volume of regions on a single contrast or on spin echoes.

    Parameters
    ----------
    acquisition : Acquisition
        A Volume with the channel ``image`` (or with one channel), or Echoes.
    segmentation : Segmentation
        On the same grid.
    context : object
        Not used.
    params : Params
        Border model of the intervals.

    Returns
    -------
    Table
        Per site and side: ``cross_sectional_area`` (mm2, at each ``slice:N`` and at ``maximum``) and
        ``volume`` (mL, slice sum), with ``size:eroded`` and ``size:dilated`` as in
        :func:`myoproof.measures.dixon.measure`, whose intervals they have. Fat fraction and what remains of
        the muscle are absent (``not_imaged``).

    Raises
    ------
    InvalidInput
        If there is no image on the segmentation's grid.
    """
    del context
    shown = image_of(acquisition)
    rows = dixon.measure(replace(acquisition, payload=shown), segmentation, params=params.border)
    own = rows[rows["measure"].isin(SIZES) & rows["method"].str.match(rf"{dixon.METHOD}(:eroded|:dilated)?$")]
    kept = [frozenset(filter(None, flags.split(";"))) - OF_FAT for flags in own["flags"]]
    own = own.assign(
        method=own["method"].str.replace(dixon.METHOD, METHOD, n=1),
        flags=[";".join(sorted(flags)) for flags in kept],
        quality=[quality(flags) for flags in kept],
        method_version=METHOD_VERSION,
    )
    whole = own[(own["measure"] == "volume") & (own["method"] == METHOD)]
    start = ["subject", "session", "run", "modality", "site", "side", "method", "rater", "method_version"]
    lacking = [whole[start].assign(measure=name, at=at, absent="not_imaged") for name, at in NOT_IMAGED]
    parts: list[pd.DataFrame] = [own, from_rows(pd.concat(lacking, ignore_index=True))]
    return from_rows(pd.concat(parts, ignore_index=True))


def image_of(acquisition: Acquisition) -> Volume:
    """The one image of a scan, as a Volume whose ``water`` it is and whose ``fat`` is nothing.

    Parameters
    ----------
    acquisition : Acquisition
        Of echoes the mean magnitude is taken.

    Raises
    ------
    InvalidInput
        If it holds several images and none is called ``image``.
    """
    payload = acquisition.payload
    if isinstance(payload, Echoes):
        image = np.abs(payload.values).mean(axis=3, dtype=np.float32)
        return Volume({"fat": np.zeros_like(image), "water": image}, payload.affine)
    if not isinstance(payload, Volume):
        raise InvalidInput(f"size needs an image, not {type(payload).__name__}", where=acquisition.subject)
    names = list(payload.channels)
    if "image" not in names and len(names) != 1:
        raise InvalidInput(
            f"size needs one image; the scan has {', '.join(names)}", where=acquisition.subject
        )
    image = np.nan_to_num(payload.channels.get("image", payload.channels[names[0]]))
    return Volume({"fat": np.zeros_like(image), "water": image.astype(np.float32)}, payload.affine)
