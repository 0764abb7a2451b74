"""What follows from the muscles of a scan: groups, unevenness, differences of sides, volumes of fat."""

import pandas as pd

from myoproof.core.acquisition import Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.measures import asymmetry, compartments, compartments_fat, dixon, heterogeneity, multiecho
from myoproof.measures.dixon_flags import quality
from myoproof.segmentation import tissue
from myoproof.workflow.mri_steps import BORDER, Desk, attempt, images_of, multiecho_rows

SWAP = "fat_water_swap_suspected"


def derive(desk: Desk) -> None:
    """Add what follows; a step that the scan cannot bear is remarked, and the rest stands."""
    plain = _plain(desk)
    if desk.regions is not None:
        attempt(desk, "muscle groups", _groups)
        attempt(desk, "heterogeneity", _uneven)
        plain = _plain(desk)
        attempt(desk, "asymmetry", lambda _: asymmetry.derive(plain))
        attempt(desk, "volumes of fat", lambda _: compartments_fat.derive(plain))
    swapped = desk.regions is not None and plain["flags"].str.contains(SWAP).any()
    attempt(desk, "compartments", lambda desk: _tissue(desk, swapped=bool(swapped)))


def _plain(desk: Desk) -> Table:
    """Main rows so far."""
    rows = pd.concat(desk.tables, ignore_index=True)
    return from_rows(rows[rows["method"].isin([dixon.METHOD, multiecho.METHOD])])


def _groups(desk: Desk) -> Table:
    """Quadriceps, hamstrings, adductors and thigh over the union of their muscles."""
    regions, volume = _regions(desk)
    if desk.separation is None:
        return compartments.measure(desk.images, regions)
    unions = compartments.united(volume, regions)
    return from_rows(pd.concat([multiecho_rows(desk, union.segmentation) for union in unions]))


def _uneven(desk: Desk) -> Table:
    regions, _ = _regions(desk)
    return heterogeneity.measure(desk.images, regions)


def _tissue(desk: Desk, *, swapped: bool) -> Table:
    """Subcutaneous fat, lean muscle, fat between muscles, bone and skin, found without a network.

    Where no muscle is suspected of a swap, compartments are not either: the suspicion rests on unlabelled
    subcutaneous fat, and here it is labelled.
    """
    images = images_of(desk)
    rows = dixon.measure(images, tissue.segment(images), params=BORDER)
    rows = Table(rows[(rows["method"] == dixon.METHOD) & ~rows["at"].str.startswith("slice:")])
    if not swapped:
        kept = [frozenset(filter(None, text.split(";"))) - {SWAP} for text in rows["flags"]]
        flags, grades = [";".join(sorted(own)) for own in kept], [quality(own) for own in kept]
        rows = Table(rows.assign(flags=flags, quality=grades))
    both = pd.concat([rows, compartments_fat.derive(rows)], ignore_index=True)
    return from_rows(both.assign(modality=desk.scan.modality))


def _regions(desk: Desk) -> tuple[Segmentation, Volume]:
    assert desk.regions is not None
    assert isinstance(desk.images.payload, Volume)
    return desk.regions, desk.images.payload
