"""Relaxation: water T2 per site and side from multi-echo spin echoes, fat separated, with intervals."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.dixon_flags import border_flags
from myoproof.measures.dixon_regions import Regions, find_regions
from myoproof.measures.relaxation_doubt import sensitivities
from myoproof.measures.relaxation_grids import mask_on
from myoproof.measures.relaxation_maps import Scan, scan_maps, with_expected_sd
from myoproof.measures.relaxation_params import Context, Params
from myoproof.measures.relaxation_rows import Findings, all_rows
from myoproof.measures.relaxation_sums import Floats, Layers, make_layers, muscle_sums, usable
from myoproof.numerics.water_t2_b1 import aliases
from myoproof.numerics.water_t2_mono import mono_exponential

__all__ = ["METHOD", "METHOD_VERSION", "Context", "Params", "maps", "measure"]

METHOD = "relaxation"
METHOD_VERSION = 2
SPACING_TOLERANCE = 0.01
"""Echo times may differ from multiples of the first by this share of it."""


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),  # noqa: B008 - frozen
) -> Table:
    """Measure the water T2 of muscles.

    Parameters
    ----------
    acquisition : Acquisition
        Modality ``t2_mapping``: payload ``Echoes``, float32 magnitudes at multiples of the first echo time.
        Setting ``repetition_time_s``, for the saturation of fat and water.
    segmentation : Segmentation
        On any grid; one of another grid is carried to the echoes by nearest label (``mask_carried``).
    context : Context, optional
        Companion fat fraction (a Dixon acquisition) and transmit field, each on its own grid; threads.
    params : Params
        Echoes, pulses, what is known, doubts.

    Returns
    -------
    Table
        Per site and side, whole and at each ``slice:N``: ``water_t2`` (ms; mean over voxels weighted with
        their water; higher is worse) and ``b1`` (median transmit field) of method ``relaxation``, and
        ``muscle_t2`` (ms) of method ``relaxation:mono_exponential``, which fat raises. A muscle with too
        little water has no water T2 (``absent`` = ``fat_dominated``).

    Raises
    ------
    InvalidInput
        If the payload is no magnitude echoes, or the echo times are not multiples of the first.
    OutOfDomain
        If a companion or the mask belongs to another region.

    References
    ----------
    Hennig J. J Magn Reson 1988;78:397; Lebel RM, Wilman AH. Magn Reson Med 2010;64:1005; Marty B et al. NMR
    Biomed 2016;29:431; Santini F et al. Front Neurol 2021;12:630387.
    """
    echoes = _checked(acquisition, params)
    given = _context(context)
    mask, carried = mask_on(segmentation, echoes)
    shown = _shown(echoes)
    regions = find_regions(shown, mask)
    scan = scan_maps(acquisition, regions.index > 0, given, params)
    scan = with_expected_sd(scan, regions.index) if scan.fat_known else scan
    layers = make_layers(scan, regions.index, params)
    boxes = ndimage.find_objects(layers.index)
    numbers = [item.index for item in regions.items if item.index]
    found = Findings(
        scan=scan,
        sums={number: muscle_sums(layers, number, boxes[number - 1], params) for number in numbers},
        doubts=sensitivities(scan, _counted(scan, regions, params)),
        mono_ms=_mono(scan, layers, numbers),
        other_field=aliases(scan.dictionary, scan.dictionary.b1),
        edges=border_flags(shown, regions),
        shared=regions.flags
        | (frozenset({"mask_carried"}) if carried else frozenset())
        | (frozenset() if scan.fat_known else frozenset({"fat_fraction_unknown"})),
    )
    start = {name: getattr(acquisition, name) for name in ("subject", "session", "run", "modality")}
    start |= {"method": METHOD, "rater": segmentation.rater, "method_version": METHOD_VERSION}
    return from_rows(all_rows(regions, found, params, start))


def maps(
    acquisition: Acquisition,
    *,
    context: object = None,
    params: Params = Params(),  # noqa: B008 - frozen
) -> Volume:
    """Maps of the whole body part.

    Parameters
    ----------
    acquisition, context, params
        As in :func:`measure`.

    Returns
    -------
    Volume
        Channels ``water_t2_ms``, ``water_t2_sd_ms``, ``b1`` and ``fat_share``; NaN outside tissue.

    Raises
    ------
    InvalidInput, OutOfDomain
        As :func:`measure`.
    """
    echoes = _checked(acquisition, params)
    scan = scan_maps(acquisition, None, _context(context), params)
    found = scan.fitted
    channels = {
        "water_t2_ms": 1e3 * found.t2_s,
        "water_t2_sd_ms": 1e3 * found.t2_sd_s,
        "b1": found.b1,
        "fat_share": found.fat_share,
    }
    return Volume({name: scan.on_grid(values) for name, values in channels.items()}, echoes.affine)


def _checked(acquisition: Acquisition, params: Params) -> Echoes:
    echoes = acquisition.payload
    if not isinstance(echoes, Echoes) or echoes.is_complex:
        raise InvalidInput("relaxation needs magnitudes at several echo times", where=acquisition.subject)
    findings = []
    times = echoes.echo_times_s
    first = float(times[0])
    expected = first * np.arange(1, times.size + 1)
    if first <= 0 or np.abs(times - expected).max() > SPACING_TOLERANCE * first:
        message = f"echo times {np.round(1e3 * times, 3).tolist()} ms are not multiples of the first"
        findings.append(Finding("error", "echo times", message, mend="give a multi-echo spin-echo scan"))
    if not 0 <= params.skip < times.size - 1:
        findings.append(
            Finding("error", "skip", f"skipping {params.skip} of {times.size} echoes leaves fewer than two")
        )
    if not np.isfinite(echoes.values).any() or float(np.nanmin(echoes.values)) < 0:
        findings.append(Finding("error", "values", "the echoes are not magnitudes"))
    refuse(findings, where=acquisition.subject)
    return echoes


def _context(context: object) -> Context:
    if context is None:
        return Context()
    if isinstance(context, Acquisition):
        return Context(fat=context)
    if not isinstance(context, Context):
        raise InvalidInput(f"the context of relaxation is no {type(context).__name__}")
    return context


def _shown(echoes: Echoes) -> Volume:
    """What regions are found on: the brighter of the first two echoes, as if it were water."""
    bright = np.nan_to_num(echoes.values[..., :2].max(axis=3)).astype(np.float32)
    return Volume({"fat": np.zeros_like(bright), "water": bright}, echoes.affine)


def _counted(scan: Scan, regions: Regions, params: Params) -> dict[int, npt.NDArray[np.intp]]:
    """Positions among the fitted voxels of those that count in each muscle."""
    found = scan.fitted
    counts = usable(1e3 * found.t2_s, 1e3 * scan.expected_sd_s, found.fat_share, params)
    number = regions.index.reshape(-1)[scan.places]
    held = [item.index for item in regions.items if item.index]
    return {index: np.flatnonzero((number == index) & counts) for index in held}


def _mono(scan: Scan, layers: Layers, numbers: list[int]) -> dict[int, Floats]:
    """Mono-exponential T2 (ms) of the whole of each muscle and of each of its slices."""
    last = scan.echoes.slice_axis
    skip = scan.train.skip
    values = np.moveaxis(np.asarray(scan.echoes.values[..., skip:], dtype=np.float32), last, 2)
    out = {}
    for number in numbers:
        where = np.nonzero(layers.index == number)
        t2 = 1e3 * mono_exponential(values[where], scan.echoes.echo_times_s[skip:], noise_sd=scan.noise_sd)
        parts = [t2, *(t2[where[2] == level] for level in range(values.shape[2]))]
        out[number] = np.array(
            [float(np.mean(p[np.isfinite(p)])) if np.isfinite(p).any() else np.nan for p in parts]
        )
    return out
