"""The steps of one muscle scan: read it, tell fat from water, find muscles, measure what was asked for."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, MissingExtra, MyoproofError, OutOfDomain
from myoproof.measures import dixon, mri_quality, multiecho, radiomics, relaxation
from myoproof.measures.multiecho_bias import budget
from myoproof.numerics.fatwater import FatWaterParams, Separation, separate
from myoproof.registry import load_module, names
from myoproof.segmentation import checks, drawn
from myoproof.sources import bids
from myoproof.workflow import regions
from myoproof.workflow.ledger_tasks import Task
from myoproof.workflow.mri_find import from_json

NETWORK = "thigh"
"""The segmenter that is asked where nobody drew."""
BORDER = dixon.Params(side_by_side=True)


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
    budget: pd.DataFrame | None = None
    tables: list[Table] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def options(self) -> Mapping[str, Any]:
        """What was asked for."""
        options: Mapping[str, Any] = self.task.parameters["options"]
        return options

    def remark(self, level: Any, category: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(level, category, message))


def threads() -> int:
    """Threads of compiled kernels in this process; the answers are the same for any number."""
    return max(1, int(os.environ.get("NUMBA_NUM_THREADS", "1")))


def read(task: Task) -> Desk:
    """Read a scan, and separate fat and water where it holds echoes.

    Raises
    ------
    NotReadable, InvalidInput
        If its files cannot be read or hold neither echoes nor fat and water.
    """
    findings: list[Finding] = []
    scan = bids.read(from_json(task.work["scan"]), tell=findings.append)
    known = {name: task.parameters[name] for name in ("subject", "session", "run")}
    scan = replace(scan, **known)
    desk = Desk(task, scan, scan, findings=findings)
    if isinstance(scan.payload, Echoes):
        _separate(desk, scan.payload)
    elif not isinstance(scan.payload, Volume) or not {"fat", "water"} <= set(scan.payload.channels):
        raise InvalidInput("holds neither echoes nor a fat and a water image", where=task.key)
    return desk


def _separate(desk: Desk, echoes: Echoes) -> None:
    settings = desk.scan.settings
    if "field_strength_t" not in settings:
        mend = "write MagneticFieldStrength into its JSON sidecar"
        raise InvalidInput("the field strength is not known", where=desk.task.key, mend=mend)
    found = separate(
        echoes.values,
        echoes.echo_times_s,
        field_strength_t=settings["field_strength_t"],
        params=FatWaterParams(),
        threads=threads(),
    )
    desk.separation = found
    channels = {
        "fat": np.abs(found.fat).astype(np.float32),
        "water": np.abs(found.water).astype(np.float32),
        "fat_fraction": found.pdff,
        "fat_fraction_sd": found.pdff_sd,
        "r2star": found.r2star,
        "field_hz": found.field_hz,
        "confidence": found.confidence,
    }
    desk.images = replace(desk.scan, payload=Volume(channels, echoes.affine))
    for note in found.notes:
        desk.remark("info", "separation", note)


def segment(desk: Desk) -> None:
    """Regions: drawn ones where there are some, else those of the network, else none with the reason.

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
    else:
        _ask_network(desk)
    if desk.regions is not None:
        desk.findings += checks.check(desk.images, desk.regions)


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
        assert isinstance(desk.images.payload, Volume)
        channels = {**desk.images.payload.channels, "certainty": found.certainty}
        desk.images = replace(desk.images, payload=Volume(channels, desk.images.payload.affine))


def measure(desk: Desk) -> None:
    """All that was asked for; what a companion scan cannot give is remarked, and the rest stands."""
    if desk.regions is None:
        desk.tables.append(_absent(desk))
    elif desk.separation is not None:
        desk.tables.append(multiecho_rows(desk, desk.regions))
    else:
        desk.tables.append(dixon.measure(desk.images, desk.regions, params=BORDER))
    desk.budget = budget(desk.scan, multiecho.Params(border=BORDER))
    if desk.regions is not None and desk.task.work["t2"] and desk.options["t2"]:
        attempt(desk, "water T2", _water_t2)
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


def _water_t2(desk: Desk) -> Table:
    echoes = _companion(desk, "t2")
    assert echoes is not None
    assert desk.regions is not None
    context = relaxation.Context(fat=desk.images, field=_companion(desk, "b1"), threads=threads())
    return relaxation.measure(echoes, desk.regions, context=context)


def _radiomics(desk: Desk) -> Table:
    assert desk.regions is not None
    return radiomics.measure(desk.images, desk.regions, threads=threads())


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
    images = desk.images
    if isinstance(desk.scan.payload, Echoes):
        first = np.abs(desk.scan.payload.values[..., 0]).astype(np.float32)
        shown = Volume({"water": first, "fat": np.zeros_like(first)}, desk.scan.payload.affine)
        images = replace(desk.images, payload=shown)
    found = mri_quality.assess(images)
    desk.findings += mri_quality.findings(found)
    return mri_quality.mark(rows, found)


def _absent(desk: Desk) -> Table:
    """Rows that say why nothing stands there."""
    scheme = drawn.read_scheme(desk.options["labels"] or regions.USUAL_SCHEME)
    own = multiecho if desk.separation is not None else dixon
    start = {name: getattr(desk.scan, name) for name in ("subject", "session", "run", "modality")}
    start |= {"method": own.METHOD, "method_version": own.METHOD_VERSION, "absent": desk.absent}
    return from_rows(
        {**start, "site": site, "side": word, "measure": measure, "at": at}
        for site, side in sorted(set(scheme.values()))
        for word in ((side,) if side else ("left", "right"))
        for measure, at in (("fat_fraction", ""), ("volume", ""), ("cross_sectional_area", "maximum"))
    )
