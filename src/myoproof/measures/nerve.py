"""Nerve: areas of nerve and vessel, their share of the view, number of nerves, and the fascicles' share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import stats

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.nerve_fascicles import FASCICLE_SD, LEAST_PIXELS, fascicle_ratio

METHOD = "nerve"
METHOD_VERSION = 1
VESSEL = "vessel"
AREA_SD = {"nerve": (1.617, 0.05), "vessel": (0.917, 0.05)}
"""SD of the log of found over drawn area: slope over (1.05 - expected Dice), floor. Calibrated on images
held out in the training of the network (benchmarks/calibrate_nerve.py, docs/nerve.md)."""
DOUBTFUL, UNSURE = 0.5, 0.25
"""Expected Dice below which a row warns and fails."""
FAILING = frozenset({"outside_training_domain"})

Bools = npt.NDArray[np.bool_]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of nerve measures.

    Parameters
    ----------
    level : float
        Coverage that the intervals aim at.
    flags : tuple of str
        Words that all rows carry, as of the reader; with ``outside_training_domain`` rows fail.
    """

    level: float = 0.95
    flags: tuple[str, ...] = ()


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),
) -> Table:
    """Measure nerve and vessel in a B-mode picture.

    Parameters
    ----------
    acquisition : Acquisition
        A Picture.
    segmentation : Segmentation
        On its frames; the label whose site is ``vessel`` is vessel, all others are nerves.
    context : object
        Not used.
    params : Params
        Level and flags.

    Returns
    -------
    Table
        Of each nerve ``nerve_cross_sectional_area`` (mm2, or px2 in an image without a scale; all its pieces
        together), ``nerve_area_share`` (of the tissue in view), ``nerve_count`` (separate pieces) and
        ``nerve_fascicle_ratio``; of the vessel ``vessel_cross_sectional_area`` and ``vessel_area_share``.
        ``at`` is "" for the mean over frames that show the region, ``image:N`` (from 1) for single ones where
        there are several. Intervals of areas stand where the segmentation states a confidence: they say where
        the examiner of the training images would have drawn. Of a drawing nobody knows the scatter; its rows
        have none.

    Raises
    ------
    InvalidInput
        If the acquisition holds no picture in the mask's shape.

    References
    ----------
    Cartwright MS, Walker FO. Muscle Nerve 2013;47:304 (nerve cross-sectional area). Boom J, Visser LH.
    Clin Neurophysiol 2012;123:1446 (share of dark fascicles).
    """
    del context
    picture = _checked(acquisition, segmentation)
    start = {name: getattr(acquisition, name) for name in ("subject", "session", "run", "modality")}
    start |= {"method": METHOD, "rater": segmentation.rater, "method_version": METHOD_VERSION}
    rows: list[Row] = []
    for label, (site, side) in sorted(segmentation.names.items()):
        own = {**start, "site": site, "side": side}
        kind = VESSEL if site == VESSEL else "nerve"
        confidence = segmentation.confidence.get(label)
        frames = {n: mask for n, one in enumerate(segmentation.labels) if (mask := one == label).any()}
        if not frames:
            words = ("cross_sectional_area", "area_share")
            names = [f"{kind}_{word}" for word in words]
            names += ["nerve_count", "nerve_fascicle_ratio"] if kind == "nerve" else []
            flags = _flags(picture, [], None, params)
            rows += [
                {**own, **flags, **_unit(name, picture), "measure": name, "absent": "empty_label"}
                for name in names
            ]
            continue
        flags = _flags(picture, list(frames.values()), confidence, params)
        single = {n: _numbers(picture, n, mask, kind, confidence, params) for n, mask in frames.items()}
        several = (
            {f"image:{n + 1}": own_numbers for n, own_numbers in single.items()} if len(single) > 1 else {}
        )
        for at, found in {"": _mean(list(single.values())), **several}.items():
            rows += [
                {**own, **flags, **_unit(name, picture), "at": at, "measure": name, **numbers}
                for name, numbers in found.items()
            ]
    return from_rows(rows)


def _numbers(
    picture: Picture, number: int, mask: Bools, kind: str, confidence: float | None, params: Params
) -> dict[str, Row]:
    """Measures of one region in one frame: value, low, high, level, or the reason of absence."""
    pixels = float(mask.sum())
    area = pixels * float(np.prod(picture.spacing_mm)) if picture.spacing_mm else pixels
    view = float(picture.tissue.sum()) if picture.tissue is not None else float(mask.size)
    share = min(1.0, pixels / max(view, pixels))
    spread = _area_spread(kind, confidence, params)
    out = {
        f"{kind}_cross_sectional_area": _interval(area, spread, params),
        f"{kind}_area_share": _interval(share, spread, params, most=1.0),
    }
    if kind == VESSEL:
        return out
    out["nerve_count"] = {"value": float(_pieces(mask))}
    grey = (
        picture.pixels[number].mean(axis=2)
        if picture.pixels.shape[3] > 1
        else picture.pixels[number, :, :, 0]
    )
    if pixels < LEAST_PIXELS:
        out["nerve_fascicle_ratio"] = {"absent": "insufficient_data"}
    else:
        ratio = fascicle_ratio(np.asarray(grey, dtype=np.float32), mask)
        wide = float(stats.norm.ppf(0.5 + params.level / 2)) * FASCICLE_SD
        ends = {"low": max(0.0, ratio - wide), "high": min(1.0, ratio + wide), "level": params.level}
        out["nerve_fascicle_ratio"] = {"value": ratio, **ends}
    return out


def _area_spread(kind: str, confidence: float | None, params: Params) -> float | None:
    """Half-width of the interval of the log of an area; None where nothing is known of it."""
    if confidence is None or confidence <= 0 or FAILING & set(params.flags):
        return None
    slope, floor = AREA_SD[kind]
    return float(stats.norm.ppf(0.5 + params.level / 2)) * (floor + slope * (1.05 - min(confidence, 1.0)))


def _interval(value: float, spread: float | None, params: Params, *, most: float = np.inf) -> Row:
    if spread is None:
        return {"value": value}
    low, high = value * np.exp(-spread), min(most, value * np.exp(spread))
    return {"value": value, "low": float(low), "high": float(high), "level": params.level}


def _mean(frames: list[dict[str, Row]]) -> dict[str, Row]:
    """Mean over frames; the interval of one frame is kept, since frames of one nerve err alike."""
    if len(frames) == 1:
        return frames[0]
    out: dict[str, Row] = {}
    for name in frames[0]:
        there = [frame[name] for frame in frames if "value" in frame[name]]
        if not there:
            out[name] = dict(frames[0][name])
            continue
        out[name] = {key: float(np.mean([one[key] for one in there])) for key in there[0]}
    return out


def _pieces(mask: Bools) -> int:
    return int(cv2.connectedComponents(mask.astype(np.uint8))[0]) - 1


def _unit(name: str, picture: Picture) -> Row:
    if not name.endswith("cross_sectional_area"):
        return {"unit": "{count}" if name == "nerve_count" else "1"}
    return {"unit": "mm2" if picture.spacing_mm else "px2"}


def _flags(
    picture: Picture, masks: list[Bools], confidence: float | None, params: Params
) -> Mapping[str, str]:
    flags = set(params.flags)
    if picture.spacing_mm is None:
        flags.add("uncalibrated")
    if any(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any() for mask in masks):
        flags.add("field_of_view_truncated")
    quality = "ok"
    if confidence is not None and confidence < DOUBTFUL:
        quality = "warn" if confidence >= UNSURE else "fail"
        flags.add("low_confidence")
    if "field_of_view_truncated" in flags and quality == "ok":
        quality = "warn"
    if flags & FAILING:
        quality = "fail"
    return {"flags": ";".join(sorted(flags)), "quality": quality}


def _checked(acquisition: Acquisition, segmentation: Segmentation) -> Picture:
    picture = acquisition.payload
    where = acquisition.run or acquisition.subject
    if not isinstance(picture, Picture):
        raise InvalidInput(f"nerve needs a picture, not {type(picture).__name__}", where=where)
    findings = []
    if segmentation.labels.shape != picture.pixels.shape[:3]:
        message = f"mask of shape {segmentation.labels.shape} on frames of {picture.pixels.shape[:3]}"
        findings.append(Finding("error", "grid", message, mend="draw on the image itself"))
    refuse(findings, where=where)
    return picture
