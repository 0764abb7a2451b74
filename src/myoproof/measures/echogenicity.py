"""Echogenicity: grey levels of muscles and nerves on ultrasound, with intervals that know speckle."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.echogenicity_calibration import fitting
from myoproof.measures.echogenicity_params import DOUBTFUL, NOTHING, UNSURE, Params, check
from myoproof.measures.echogenicity_regions import (
    SUBCUTANEOUS,
    Region,
    bone_echo,
    find_regions,
    frames_of,
    pixels_of,
    subcutaneous_mm,
    tissue_of,
)
from myoproof.measures.echogenicity_texture import absent_texture, texture_rows
from myoproof.numerics.greymap import to_db
from myoproof.numerics.speckle import Interval, blocks_of, correlation_length, grey_statistics
from myoproof.vocabulary.lookup import words

__all__ = ["METHOD", "METHOD_VERSION", "Params", "measure"]

METHOD = "echogenicity"
METHOD_VERSION = 1
Row = dict[str, Any]
Bools = npt.NDArray[np.bool_]
Found = dict[str, Interval]

PERCENTILES = (5, 25, 50, 75, 95)
WORDS = {
    "mean": "echogenicity",
    "sd": "echogenicity_sd",
    **{f"percentile_{p}": f"echogenicity_percentile_{p}" for p in PERCENTILES},
    "entropy": "echogenicity_entropy",
    "share_black": "echogenicity_share_black",
    "share_white": "echogenicity_share_white",
}
"""What a statistic is called as a measure."""
MOST_BLACK, MOST_WHITE = 0.25, 0.02
"""Shares of pixels at the ends of the scale above which a row is flagged ``saturated`` (proposal)."""
MOST_MASKED = 0.01
"""Share of a label outside the tissue above which a row is flagged ``text_masked`` (proposal)."""


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),  # noqa: B008 - frozen
) -> Table:
    """Measure the grey levels of drawn or segmented regions of an ultrasound picture.

    Parameters
    ----------
    acquisition : Acquisition
        A Picture with one grey band; device, preset and settings where known.
    segmentation : Segmentation
        Labels on its frames.
    context : object
        Not used.
    params : Params
        Rule of the region, texture, depth correction, calibrations, level.

    Returns
    -------
    Table
        Per site, side and rule (method ``echogenicity:whole``, ``echogenicity:central``): ``echogenicity``
        (mean grey level, 0-255; higher is worse), its SD, percentiles and entropy, the shares of pixels at 0
        and 255; low and high say where they lie in another speckle pattern of the same tissue, not on another
        machine or at another gain. Only tissue pixels count. ``at`` is "" for the mean over the labelled
        frames; ``image:N`` (from 1) for single ones where there are several. ``echogenicity_depth_corrected``
        (method with the slope) where subcutaneous tissue is labelled, ``echogenicity_backscatter`` (dB) where
        calibrations are given, ``bone_echo`` of muscles that lie on bone, and IBSI texture of the first rule.
        Grey levels compare within one device, preset and gain only.

    Raises
    ------
    InvalidInput
        If the acquisition holds no picture of one band in the mask's shape, or a setting means nothing.

    References
    ----------
    Pillen S et al. Muscle Nerve 2006;34:73 (mean grey level). Young H-J et al. Muscle Nerve 2015;52:963
    (depth). Zaidman CM et al. Ultrasound Med Biol 2012;38:1319 (calibrated backscatter).
    """
    del context
    check(params)
    picture = _checked(acquisition, segmentation)
    start = {name: getattr(acquisition, name) for name in ("subject", "session", "run", "modality")}
    start |= {"rater": segmentation.rater, "method_version": METHOD_VERSION}
    rows: list[Row] = []
    for region in find_regions(segmentation):
        own = {**start, "site": region.site, "side": region.side}
        reason = _reason(segmentation, region)
        frames = {} if reason else frames_of(segmentation, region)
        textured = _kind(region.site) != "tissue"
        for rule in params.rules if textured else params.rules[:1]:
            told = {**own, "method": f"{METHOD}:{rule}"}
            outlines = {
                frame: _counted(pixels_of(outline, tissue_of(picture), rule, params.inset), params)
                for frame, outline in frames.items()
            }
            seen = {frame: inside for frame, inside in outlines.items() if inside is not None}
            why = reason or ("" if seen else "insufficient_data")
            if why:
                rows += [{**told, "measure": name, "absent": why} for name in WORDS.values()]
                rows += absent_texture(told, why, params) if textured and rule == params.rules[0] else []
                continue
            flags = _flags(picture, frames, region)
            rows += _region_rows(told, acquisition, segmentation, region, seen, flags, params)
            if textured and rule == params.rules[0]:
                rows += texture_rows({**told, **flags}, picture, seen, params)
                rows += _bone_rows({**told, **flags}, picture, frames, region, params)
    return from_rows(rows)


def _region_rows(
    start: Row,
    acquisition: Acquisition,
    segmentation: Segmentation,
    region: Region,
    seen: Mapping[int, Bools],
    flags: Row,
    params: Params,
) -> Iterator[Row]:
    picture = acquisition.payload
    assert isinstance(picture, Picture)
    single = {
        frame: _statistics(picture.pixels[frame, :, :, 0], inside, params) for frame, inside in seen.items()
    }
    joint = _joined(list(single.values()))
    flags = _saturated(flags, joint)
    several = {f"image:{frame + 1}": own for frame, own in single.items()} if len(single) > 1 else {}
    for at, found in {"": joint, **several}.items():
        for name, word in WORDS.items():
            yield {**start, **flags, "at": at, "measure": word, **_numbers(found[name], params.level)}
    if params.calibrations:
        yield {**start, **flags, **_backscatter(acquisition, joint["mean"], params)}
    labelled = any(site == SUBCUTANEOUS for site, _ in segmentation.names.values())
    if params.depth_slope_per_cm and labelled and _kind(region.site) == "muscle":
        yield {
            **start,
            **flags,
            **_depth_corrected(start, picture, segmentation, seen, joint["mean"], params),
        }


def _statistics(grey: npt.NDArray[np.uint8], inside: Bools, params: Params) -> Found:
    lengths = correlation_length(grey.astype(np.float64), inside)
    blocks = blocks_of(inside, lengths)
    return grey_statistics(grey[inside], blocks, percentiles=PERCENTILES, level=params.level)


def _joined(found: list[Found]) -> Found:
    """The mean over frames; frames of one clip see the same tissue, so the interval keeps its mean width."""
    ends = {
        name: np.array([[own[name].value, own[name].low, own[name].high] for own in found]).mean(axis=0)
        for name in WORDS
    }
    return {name: Interval(*map(float, own)) for name, own in ends.items()}


def _numbers(found: Interval, level: float) -> Row:
    if np.isnan(found.low) or np.isnan(found.high):
        return {"value": found.value}
    return {"value": found.value, "low": found.low, "high": found.high, "level": level}


def _backscatter(acquisition: Acquisition, mean: Interval, params: Params) -> Row:
    """Backscatter above that of the phantom; the interval joins speckle and what the targets leave open."""
    row: Row = {"measure": "echogenicity_backscatter"}
    device, preset, settings = acquisition.device, acquisition.preset, acquisition.settings
    found, gain_db = fitting(params.calibrations, device, preset, settings)
    if found is None:
        return {**row, "absent": "unknown_device"}
    half = 0.0 if np.isnan(mean.high) else max(mean.high - mean.value, mean.value - mean.low)
    ends = to_db(found.grey_map, mean.value, half, level=params.level)
    if np.isnan(ends[0]):
        return {**row, "absent": "out_of_domain"}
    return {**row, **_numbers(Interval(*(end - gain_db for end in ends)), params.level)}


def _depth_corrected(
    start: Row,
    picture: Picture,
    segmentation: Segmentation,
    seen: Mapping[int, Bools],
    mean: Interval,
    params: Params,
) -> Row:
    """Echogenicity + slope x thickness; the interval is that of the grey level, thickness taken as known."""
    slope = params.depth_slope_per_cm
    row: Row = {"measure": "echogenicity_depth_corrected", "method": f"{start['method']}:{slope:g}_per_cm"}
    depths = [subcutaneous_mm(picture, segmentation, frame) for frame in seen]
    known = [depth for depth in depths if depth is not None]
    if not known:
        return {**row, "absent": "uncalibrated" if picture.spacing_mm is None else "empty_label"}
    add = slope * float(np.mean(known)) / 10
    return {**row, **_numbers(Interval(mean.value + add, mean.low + add, mean.high + add), params.level)}


def _bone_rows(
    start: Row, picture: Picture, frames: Mapping[int, Bools], region: Region, params: Params
) -> Iterator[Row]:
    if region.site not in params.bone_sites:
        return
    tissue, pixels = tissue_of(picture), picture.pixels[..., 0]
    echoes = [bone_echo(pixels[frame], own, tissue) for frame, own in frames.items()]
    known = [echo for echo in echoes if echo is not None]
    row = {**start, "measure": "bone_echo"}
    yield {**row, "value": float(np.mean(known))} if known else {**row, "absent": "not_imaged"}


def _counted(inside: Bools, params: Params) -> Bools | None:
    return inside if int(inside.sum()) >= params.least_pixels else None


def _reason(segmentation: Segmentation, region: Region) -> str:
    if np.isin(segmentation.labels, region.labels).any():
        return "low_confidence" if region.confidence < UNSURE else ""
    if not any(label in segmentation.confidence for label in region.labels):
        return "empty_label"
    nothing = region.confidence < NOTHING and _kind(region.site) == "muscle"
    return "no_muscle_found" if nothing else "low_confidence"


def _flags(picture: Picture, frames: Mapping[int, Bools], region: Region) -> Row:
    tissue = tissue_of(picture)
    lost = [1 - float(tissue[outline].mean()) for outline in frames.values()]
    flags = {"text_masked"} if max(lost) > MOST_MASKED else set()
    flags |= {"low_confidence"} if region.confidence < DOUBTFUL else set()
    return {"flags": ";".join(sorted(flags)), "quality": "warn" if "low_confidence" in flags else "ok"}


def _saturated(flags: Row, found: Found) -> Row:
    if found["share_black"].value <= MOST_BLACK and found["share_white"].value <= MOST_WHITE:
        return flags
    told = {*flags["flags"].split(";"), "saturated"} - {""}
    return {"flags": ";".join(sorted(told)), "quality": "warn"}


def _kind(site: str) -> str:
    """What a site is by the vocabulary; a muscle where it is not in it."""
    known = words("sites").get(site)
    return known["kind"] if known else "muscle"


def _checked(acquisition: Acquisition, segmentation: Segmentation) -> Picture:
    picture = acquisition.payload
    if not isinstance(picture, Picture):
        raise InvalidInput("echogenicity needs a picture", where=acquisition.subject)
    findings = []
    if picture.pixels.shape[3] != 1:
        message = f"the picture has {picture.pixels.shape[3]} bands"
        findings.append(Finding("error", "bands", message, mend="give one grey band, as the readers do"))
    if segmentation.labels.shape != picture.pixels.shape[:3]:
        message = f"the mask has shape {segmentation.labels.shape} but the frames {picture.pixels.shape[:3]}"
        findings.append(Finding("error", "shape", message, mend="draw it on the image itself"))
    refuse(findings, where=acquisition.subject)
    return picture
