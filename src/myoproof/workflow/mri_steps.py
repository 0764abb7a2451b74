"""The steps of one muscle scan: read it, tell fat from water, find muscles, measure what was asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, MissingExtra, MyoproofError, OutOfDomain
from myoproof.measures import dixon, mri_quality, multiecho, radiomics, relaxation, size
from myoproof.measures.multiecho_bias import budget
from myoproof.measures.relaxation_grids import mask_on
from myoproof.numerics.fatwater import Separation
from myoproof.registry import load_module, names
from myoproof.segmentation import checks, drawn, propagate
from myoproof.sources import bids
from myoproof.workflow import mri_follow, mri_gaps, regions
from myoproof.workflow.ledger_tasks import Task
from myoproof.workflow.mri_find import from_json
from myoproof.workflow.mri_read import FAT_AND_WATER, opened, threads

NETWORK = "thigh"
"""The segmenter that is asked where nobody drew."""
BORDER = dixon.Params(side_by_side=True)
SIZE = size.Params(BORDER)
SINGLE = "one contrast alone: the network parts muscles less surely than on fat and water (see its card)"


@dataclass(frozen=True, slots=True)
class T2:
    """Maps of spin echoes on their own grid, and the regions there."""

    maps: Volume
    regions: Segmentation


@dataclass(slots=True)
class Desk:
    """What is known of the scan at hand, filled step by step.

    Parameters
    ----------
    task : Task
        What is asked for.
    scan : Acquisition
        As it was recorded.
    images : Acquisition
        The same with fat and water as a Volume, and what the separation says besides.
    separation : Separation, optional
        Of its echoes.
    regions : Segmentation, optional
        Muscles.
    absent : str
        Why there are none.
    expected : mapping of (site, side) to float
        Dice that the network expects of its own regions.
    carried : Carried, optional
        Regions of an earlier visit, as they were carried here.
    t2 : T2, optional
        Maps of the visit's spin echoes.
    budget : DataFrame, optional
        What falsifies its fat fractions.
    tables, findings : list
        What was measured and remarked.
    """

    task: Task
    scan: Acquisition
    images: Acquisition
    separation: Separation | None = None
    regions: Segmentation | None = None
    absent: str = ""
    expected: dict[tuple[str, str], float] = field(default_factory=dict)
    carried: mri_follow.Carried | None = None
    t2: T2 | None = None
    budget: pd.DataFrame | None = None
    tables: list[Table] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def has_fat(self) -> bool:
        """Whether fat and water are told apart."""
        return isinstance(self.images.payload, Volume) and set(self.images.payload.channels) >= FAT_AND_WATER

    @property
    def options(self) -> Mapping[str, Any]:
        """What was asked for."""
        options: Mapping[str, Any] = self.task.parameters["options"]
        return options

    def remark(self, level: Any, category: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(level, category, message))


def read(task: Task) -> Desk:
    """Read a scan, and separate fat and water where it holds gradient echoes.

    Raises
    ------
    NotReadable, InvalidInput
        As :func:`myoproof.workflow.mri_read.opened`.
    """
    findings: list[Finding] = []
    who = {name: task.parameters[name] for name in ("subject", "session", "run")}
    found = opened(task.work["scan"], who, findings.append)
    return Desk(task, found.scan, found.images, found.separation, findings=findings)


def segment(desk: Desk) -> None:
    """Regions: drawn ones, else those of an earlier visit, else the network's, else none with the reason.

    Raises
    ------
    InvalidInput, NotReadable
        If a mask does not fit its scan, or several were drawn on it.
    """
    given = desk.task.work["masks"]
    if len(given) > 1:
        files = ", ".join(Path(mask["path"]).name for mask in given)
        raise InvalidInput(f"{len(given)} masks are drawn on this scan ({files})", mend="keep one in --masks")
    if given:
        path, rater = Path(given[0]["path"]), given[0]["rater"]
        read_regions = regions.read(path, desk.images, labels=desk.options["labels"], rater=rater)
        desk.regions = read_regions.segmentation
        desk.findings += read_regions.findings
    elif not _carry(desk):
        _ask_network(desk)
    if desk.regions is not None:
        desk.findings += checks.check(_with_fat(desk), desk.regions)


def _carry(desk: Desk) -> bool:
    """Whether the mask of an earlier visit could be carried here."""
    desk.carried = mri_follow.carry(desk.task, desk.images, desk.findings.append)
    if desk.carried is None:
        return False
    desk.regions = desk.carried.segmentation
    add_channel(desk, "fat_change", propagate.fat_change(desk.images, desk.carried.found))
    return True


def _ask_network(desk: Desk) -> None:
    if NETWORK not in names("segmenters"):
        desk.absent = "not_measured"
        desk.remark("warning", "segmentation", "no mask is drawn on this scan: its muscles are not measured")
        return
    try:
        network = load_module("segmenters", NETWORK)
        found = network.find(desk.images, params=network.Params(threads=threads()))
    except OutOfDomain as error:
        desk.absent = "out_of_domain"
        desk.remark("warning", "segmentation", f"the network does not know such images: {error.what}")
    except MissingExtra as error:
        desk.absent = "not_measured"
        desk.remark("warning", "segmentation", f"no mask is drawn on this scan, and {error}")
    else:
        desk.regions = found.segmentation
        sites = {label: site for label, (site, _) in found.segmentation.names.items()}
        desk.expected = {(sites[label], side): value for (label, side), value in found.sides.items()}
        add_channel(desk, "certainty", found.certainty)
        if not desk.has_fat:
            desk.remark("info", "segmentation", SINGLE)


def add_channel(desk: Desk, name: str, values: npt.NDArray[np.float32]) -> None:
    """Put one more map beside the images of the scan."""
    assert isinstance(desk.images.payload, Volume)
    volume = desk.images.payload
    desk.images = replace(desk.images, payload=Volume({**volume.channels, name: values}, volume.affine))


def measure(desk: Desk) -> None:
    """All that was asked for; what a companion scan cannot give is remarked, and the rest stands."""
    if desk.regions is None:
        desk.tables.append(_absent(desk))
    elif desk.separation is not None:
        desk.tables.append(multiecho_rows(desk, desk.regions))
    elif desk.has_fat:
        desk.tables.append(dixon.measure(desk.images, desk.regions, params=BORDER))
    else:
        desk.tables.append(size.measure(size_images(desk), desk.regions, params=SIZE))
    if desk.has_fat:
        kept = desk.separation.phase_kept if desk.separation is not None else None
        desk.budget = budget(desk.scan, multiecho.Params(border=BORDER), phase_kept=kept)
    if desk.carried is not None:
        desk.tables.append(mri_follow.rows(desk.carried, desk.scan))
    if desk.regions is not None and desk.options["t2"] and _t2_scan(desk):
        attempt(desk, "water T2", _water_t2)
    elif desk.regions is not None and not desk.has_fat:
        desk.tables.append(_no_t2(desk, desk.regions))
    if desk.regions is not None and desk.options["radiomics"]:
        attempt(desk, "radiomics", _radiomics)


def multiecho_rows(desk: Desk, drawn_on: Segmentation) -> Table:
    """Multi-echo rows of some regions, with the transmit field of the session where it fits."""
    params = multiecho.Params(border=BORDER)
    plain = multiecho.Context(separation=desk.separation, threads=threads())
    field_map = _companion(desk, "b1")
    if field_map is None or not isinstance(field_map.payload, Volume):
        return multiecho.measure(desk.scan, drawn_on, context=plain, params=params)
    try:
        context = replace(plain, b1=field_map.payload)
        return multiecho.measure(desk.scan, drawn_on, context=context, params=params)
    except InvalidInput as error:
        told = Finding("warning", "transmit field", f"the B1 map is not used: {error.what}")
        desk.findings += [] if told in desk.findings else [told]
        return multiecho.measure(desk.scan, drawn_on, context=plain, params=params)


def attempt(desk: Desk, what: str, step: Callable[[Desk], Table]) -> None:
    """Add the rows of a step, or say why there are none."""
    try:
        desk.tables.append(step(desk))
    except (InvalidInput, OutOfDomain) as error:
        desk.remark("warning", what, f"{what}: not measured ({error.what})")


def images_of(desk: Desk) -> Acquisition:
    """Fat and water as a Dixon scan has them."""
    return replace(desk.images, modality="dixon")


def size_images(desk: Desk) -> Acquisition:
    """The one image that a single-contrast scan is measured on."""
    assert isinstance(desk.images.payload, Volume)
    volume = desk.images.payload
    return replace(desk.images, payload=Volume({"image": volume.channels["image"]}, volume.affine))


def _with_fat(desk: Desk) -> Acquisition:
    """The images for those who look at fat and water: one contrast counts as water."""
    return desk.images if desk.has_fat else replace(desk.images, payload=size.image_of(size_images(desk)))


def _t2_scan(desk: Desk) -> bool:
    return bool(desk.task.work["t2"]) or desk.scan.modality == "t2_mapping"


def _water_t2(desk: Desk) -> Table:
    echoes = desk.scan if desk.scan.modality == "t2_mapping" else _companion(desk, "t2")
    assert echoes is not None
    assert desk.regions is not None
    assert isinstance(echoes.payload, Echoes)
    fat = desk.images if desk.has_fat else None
    context = relaxation.Context(fat=fat, field=_companion(desk, "b1"), threads=threads())
    rows = relaxation.measure(echoes, desk.regions, context=context)
    if desk.options["maps"]:
        desk.t2 = T2(relaxation.maps(echoes, context=context), mask_on(desk.regions, echoes.payload)[0])
    return rows


def _no_t2(desk: Desk, drawn_on: Segmentation) -> Table:
    """Rows that say that a visit of a single contrast has no T2."""
    start = {name: getattr(desk.scan, name) for name in ("subject", "session", "run", "modality")}
    start |= {"method": relaxation.METHOD, "method_version": relaxation.METHOD_VERSION}
    start |= {"rater": drawn_on.rater, "measure": "water_t2"}
    start |= {"absent": "not_measured" if _t2_scan(desk) else "not_imaged"}
    sized = desk.tables[0][["site", "side"]].drop_duplicates()
    return from_rows({**start, "site": site, "side": side} for site, side in sized.itertuples(index=False))


def _radiomics(desk: Desk) -> Table:
    assert desk.regions is not None
    params = radiomics.Params(channel="fat_fraction" if desk.has_fat else "image")
    return radiomics.measure(desk.images, desk.regions, params=params, threads=threads())


def _companion(desk: Desk, name: str) -> Acquisition | None:
    """Another scan of the session; None where there is none or it cannot be read."""
    record = desk.task.work[name]
    if record is None:
        return None
    known = {word: desk.task.parameters[word] for word in ("subject", "session")}
    try:
        return replace(bids.read(from_json(record), tell=desk.findings.append), **known)
    except MyoproofError as error:
        if name == "t2":
            raise InvalidInput(error.what, where=error.where) from error
        desk.remark("warning", name, f"the companion scan cannot be read: {error}")
        return None


def judged(desk: Desk, rows: pd.DataFrame) -> Table:
    """The rows with what speaks against the whole scan: weak signal, ghosts, voids of metal."""
    images = _with_fat(desk)
    if desk.separation is not None and isinstance(desk.scan.payload, Echoes):
        first = np.abs(desk.scan.payload.values[..., 0]).astype(np.float32)
        shown = Volume({"water": first, "fat": np.zeros_like(first)}, desk.scan.payload.affine)
        images = replace(desk.images, payload=shown)
    found = mri_quality.assess(images)
    if desk.separation is not None:  # fat and water may cancel in an echo, which is no void
        found = replace(found, voids=mri_quality.assess(desk.images).voids)
    desk.findings += mri_quality.findings(found)
    assert isinstance(images.payload, Volume)
    missing = mri_gaps.empty_slices(images.payload)
    desk.findings += [mri_gaps.finding(missing)] if missing else []
    rows = mri_gaps.mark(rows, missing)
    return mri_quality.mark(mri_follow.marked(rows, desk.carried), found)


def _absent(desk: Desk) -> Table:
    """Rows that say why nothing stands there."""
    scheme = drawn.read_scheme(desk.options["labels"] or regions.USUAL_SCHEME)
    own: Any = multiecho if desk.separation is not None else dixon if desk.has_fat else size
    start = {name: getattr(desk.scan, name) for name in ("subject", "session", "run", "modality")}
    start |= {"method": own.METHOD, "method_version": own.METHOD_VERSION, "absent": desk.absent}
    return from_rows(
        {**start, "site": site, "side": word, "measure": measure, "at": at}
        for site, side in sorted(set(scheme.values()))
        for word in ((side,) if side else ("left", "right"))
        for measure, at in (("fat_fraction", ""), ("volume", ""), ("cross_sectional_area", "maximum"))
    )
