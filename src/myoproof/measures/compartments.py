"""Muscle groups: quadriceps, hamstrings, adductors, whole thigh, measured over the union of their muscles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import InvalidInput
from myoproof.measures import dixon
from myoproof.measures.dixon_regions import Regions, find_regions

__all__ = ["GROUPS", "METHOD", "METHOD_VERSION", "Params", "measure", "told", "united"]

METHOD = "compartments"
METHOD_VERSION = 1

QUADRICEPS = ("rectus_femoris", "vastus_lateralis", "vastus_intermedius", "vastus_medialis")
HAMSTRINGS = (
    "biceps_femoris_long_head", "biceps_femoris_short_head", "semitendinosus", "semimembranosus",
)  # fmt: skip
ADDUCTORS = ("adductor_magnus", "adductor_longus", "adductor_brevis", "gracilis", "thigh_medial_compartment")
TRICEPS_SURAE = ("medial_gastrocnemius", "lateral_gastrocnemius", "soleus")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "quadriceps": QUADRICEPS,
    "hamstrings": HAMSTRINGS,
    "adductors": ADDUCTORS,
    "thigh": (*QUADRICEPS, *HAMSTRINGS, *ADDUCTORS, "sartorius", "quadriceps", "hamstrings"),
    "triceps_surae": TRICEPS_SURAE,
}
"""Group -> its muscles (Gray's Anatomy: anterior, posterior and medial compartment of the thigh; the gracilis
counts with the adductors, the sartorius with the whole thigh alone). Muscles that a label scheme lacks are
left out: the group is that of the scheme, and schemes that name whole groups have their part in the thigh."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of muscle groups.

    Parameters
    ----------
    groups : tuple of str
        Keys of :data:`GROUPS`; a group that the label scheme has no muscle of is passed over.
    border : myoproof.measures.dixon.Params
        Settings of the measure that is made over each union.
    """

    groups: tuple[str, ...] = tuple(GROUPS)
    border: dixon.Params = field(default_factory=lambda: dixon.Params(side_by_side=True))


@dataclass(frozen=True, slots=True)
class Union:
    """Muscles joined to groups.

    Parameters
    ----------
    segmentation : Segmentation
        One label a group and side; ``names`` is empty where no group has a muscle.
    partial : frozenset of (group, side)
        Groups that lack one of their muscles on this side.
    sides : frozenset of str
        Flags of how sides were told apart.
    """

    segmentation: Segmentation
    partial: frozenset[tuple[str, str]]
    sides: frozenset[str]


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),
) -> Table:
    """Fat and size of muscle groups, over the union of their voxels and not as means of rows.

    Parameters
    ----------
    acquisition : Acquisition
        A Volume with the channels ``fat`` and ``water``.
    segmentation : Segmentation
        Single muscles, drawn on the same grid.
    context : object
        Not used.
    params : Params
        Which groups, and the settings of the Dixon measure.

    Returns
    -------
    Table
        Rows of method ``dixon`` (see :func:`myoproof.measures.dixon.measure`) whose sites are groups. Only
        the outer border of a group is uncertain: what is drawn between its muscles cancels. A group that
        lacks a muscle on one side is flagged ``partial_group``.

    Raises
    ------
    InvalidInput
        If a group is not known, or as the Dixon measure does.
    """
    del context
    odd = [name for name in params.groups if name not in GROUPS]
    if odd:
        raise InvalidInput(f"no muscle group {', '.join(map(repr, odd))}", mend=f"known: {', '.join(GROUPS)}")
    volume = acquisition.payload
    if not isinstance(volume, Volume) or not {"fat", "water"} <= set(volume.channels):
        raise InvalidInput("groups need a volume with the channels fat and water", where=acquisition.subject)
    tables = [
        told(dixon.measure(acquisition, union.segmentation, params=params.border), union)
        for union in united(volume, segmentation, params.groups)
    ]
    return from_rows(pd.concat(tables, ignore_index=True)) if tables else from_rows([])


def united(volume: Volume, segmentation: Segmentation, groups: Sequence[str] = tuple(GROUPS)) -> list[Union]:
    """Join muscles to groups, side by side; also for other measures than Dixon.

    Parameters
    ----------
    volume : Volume
        Channels ``fat`` and ``water``, by which open sides are told apart.
    segmentation : Segmentation
        Single muscles on the same grid.
    groups : sequence of str
        Keys of :data:`GROUPS`.

    Returns
    -------
    list of Union
        Groups that share a muscle stand in different ones. A voxel belongs to a group where it belongs to
        one of its muscles; fat between them does not.
    """
    regions = find_regions(volume, segmentation)
    sites = {item.site for item in regions.items}
    layers: list[list[str]] = []
    for name in groups:
        if not sites & set(GROUPS[name]):
            continue
        free = [layer for layer in layers if not any(set(GROUPS[name]) & set(GROUPS[o]) for o in layer)]
        (free[0] if free else _new(layers)).append(name)
    return [_joined(regions, segmentation, layer) for layer in layers]


def _new(layers: list[list[str]]) -> list[str]:
    layers.append([])
    return layers[-1]


def _joined(regions: Regions, segmentation: Segmentation, layer: Sequence[str]) -> Union:
    table = np.zeros(int(regions.index.max(initial=0)) + 1, dtype=np.uint16)
    names: dict[int, tuple[str, str]] = {}
    partial = set()
    group_of = {site: name for name in layer for site in GROUPS[name]}
    for item in regions.items:
        group = group_of.get(item.site)
        if group is None:
            continue
        key = (group, item.side)
        if key not in names.values():
            names[len(names) + 1] = key
        if item.index:
            table[item.index] = next(label for label, known in names.items() if known == key)
        else:
            partial.add(key)
    labels = table[regions.index]
    joined = Segmentation(labels, segmentation.affine, names, segmentation.rater)
    return Union(joined, frozenset(partial), regions.flags)


def told(rows: Table, union: Union) -> pd.DataFrame:
    """Rows with the flags that joining the muscles took away.

    Parameters
    ----------
    rows : Table
        Of any measure, made over the union.
    union : Union
        From :func:`united`.
    """
    lacking = {*union.partial, *((group, "both") for group, _ in union.partial)}
    flags, qualities = [], []
    for site, side, text, quality in zip(
        rows["site"], rows["side"], rows["flags"], rows["quality"], strict=True
    ):
        own = set(filter(None, text.split(";")))
        own |= set(union.sides) if side in ("left", "right", "") else set()
        partial = (site, side) in lacking
        own |= {"partial_group"} if partial else set()
        flags.append(";".join(sorted(own)))
        qualities.append("warn" if partial and quality == "ok" else quality)
    return rows.assign(flags=flags, quality=qualities)
