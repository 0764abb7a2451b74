"""What follows from the muscles of a scan: groups, unevenness, differences of sides, volumes of fat."""

import pandas as pd

from myoproof.core.acquisition import Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.measures import (
    asymmetry,
    compartments,
    compartments_fat,
    dixon,
    heterogeneity,
    multiecho,
    relaxation,
    size,
)
from myoproof.measures.dixon_flags import quality
from myoproof.segmentation import tissue
from myoproof.workflow.mri_steps import BORDER, SIZE, Desk, attempt, images_of, multiecho_rows, size_images

SWAP = "fat_water_swap_suspected"


def derive(desk: Desk) -> None:
    """Add what follows; a step that the scan cannot bear is remarked, and the rest stands."""
    if desk.regions is not None:
        attempt(desk, "muscle groups", _groups)
        sides = _plain(desk, relaxation.METHOD)
        attempt(desk, "asymmetry", lambda _: asymmetry.derive(sides))
    if not desk.has_fat:
        return
    if desk.regions is not None:
        attempt(desk, "heterogeneity", _uneven)
        plain = _plain(desk)
        attempt(desk, "volumes of fat", lambda _: compartments_fat.derive(plain))
    plain = _plain(desk)
    swapped = desk.regions is not None and plain["flags"].str.contains(SWAP).any()
    attempt(desk, "compartments", lambda desk: _tissue(desk, swapped=bool(swapped)))


def _plain(desk: Desk, *more: str) -> Table:
    """Main rows so far."""
    rows = pd.concat(desk.tables, ignore_index=True)
    return from_rows(rows[rows["method"].isin([dixon.METHOD, multiecho.METHOD, size.METHOD, *more])])


def _groups(desk: Desk) -> Table:
    """Quadriceps, hamstrings, adductors and thigh over the union of their muscles."""
    regions, volume = _regions(desk)
    if desk.has_fat and desk.separation is None:
        return compartments.measure(desk.images, regions)
    image = volume if desk.has_fat else size.image_of(size_images(desk))
    tables = []
    for union in compartments.united(image, regions):
        if desk.has_fat:
            rows = multiecho_rows(desk, union.segmentation)
        else:
            rows = size.measure(size_images(desk), union.segmentation, params=SIZE)
        tables.append(compartments.told(rows, union))
    return from_rows(pd.concat(tables)) if tables else from_rows([])


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
