"""Architecture of muscle on ultrasound: thickness, aponeuroses, fascicle angle and lengths."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.segmentation import Segmentation
from myoproof.core.table import Table, from_rows
from myoproof.errors import InvalidInput
from myoproof.measures.architecture_edges import edges_of
from myoproof.measures.architecture_longitudinal import (
    ANGLES,
    LENGTHS,
    OF_FASCICLES,
    Reading,
    read_longitudinal,
)
from myoproof.measures.architecture_params import DOUBTFUL, UNSURE, Params, check
from myoproof.measures.architecture_transverse import area, in_view, thickness
from myoproof.vocabulary.lookup import words

__all__ = ["METHOD", "METHOD_VERSION", "Params", "measure"]

METHOD = "architecture"
METHOD_VERSION = 1
SUBCUTANEOUS = "subcutaneous_fat"
Row = dict[str, Any]
Key = tuple[str, str]
Bools = npt.NDArray[np.bool_]


def measure(
    acquisition: Acquisition,
    segmentation: Segmentation,
    *,
    context: object = None,
    params: Params = Params(),  # noqa: B008 - frozen
) -> Table:
    """Measure the architecture of muscle on ultrasound.

    Parameters
    ----------
    acquisition : Acquisition
        A Picture with one grey band.
    segmentation : Segmentation
        The muscle between the inner edges of its aponeuroses, and subcutaneous tissue (site
        ``subcutaneous_fat``) where labelled; a segmenter's or a reader's.
    context : object
        Not used.
    params : Params
        View, places of the profile, trust, level.

    Returns
    -------
    Table
        Longitudinal views: ``thickness`` (perpendicular, mid-tissue), ``thickness_profile`` (``at``
        width:0.25 from the left of the image), ``thickness_deep_end`` (vertical, at the tissue's edge where
        fascicles run into the deep aponeurosis), ``subcutaneous_thickness``, depths of the aponeuroses from
        the top of the tissue, ``aponeurosis_angle``, ``aponeurosis_angle_deep``, ``fascicle_angle`` (the
        image mirrored so that fascicles rise to the right), ``pennation_angle``, ``fascicle_length``,
        ``fascicle_length_curved``.
        Transverse views: ``thickness`` of each region, ``cross_sectional_area`` of those wholly in view.
        Lengths in mm, in px where the image has no scale (flag ``uncalibrated``). ``at`` is "" for the mean
        over labelled frames, ``image:N`` for single ones where there are several. What cannot be told is
        absent with its reason.

    Raises
    ------
    InvalidInput
        If the acquisition holds no picture of one band in the mask's shape, or a setting means nothing.

    References
    ----------
    van der Zee TJ, Kuo AD. PeerJ Comput Sci 2022;8:e1099 (angles and thickness as observers draw them).
    """
    del context
    check(params)
    picture = _checked(acquisition, segmentation)
    start = {name: getattr(acquisition, name) for name in ("subject", "session", "run", "modality")}
    start |= {"rater": segmentation.rater, "method": METHOD, "method_version": METHOD_VERSION}
    rows: list[Row] = []
    for label, (site, side) in segmentation.names.items():
        own = {**start, "site": site, "side": side}
        trust = segmentation.confidence.get(label, 1.0)
        masks = segmentation.labels == label
        frames = [int(frame) for frame in np.flatnonzero(masks.any(axis=(1, 2)))]
        readings = {frame: _read(picture, masks[frame], frame, site, params) for frame in frames}
        reason = _reason(trust, bool(frames))
        rows += _rows(own, readings, reason, trust, site, picture, params)
    return from_rows(rows)


def _checked(acquisition: Acquisition, segmentation: Segmentation) -> Picture:
    picture = acquisition.payload
    if not isinstance(picture, Picture):
        raise InvalidInput(f"architecture needs a picture, got {type(picture).__name__}")
    if picture.pixels.shape[3] != 1:
        raise InvalidInput(f"architecture needs one grey band, got {picture.pixels.shape[3]}")
    if segmentation.labels.shape != picture.pixels.shape[:3]:
        raise InvalidInput(
            f"mask of shape {segmentation.labels.shape} on frames of {picture.pixels.shape[:3]}"
        )
    return picture


def _reason(trust: float, found: bool) -> str:
    """Why nothing is told of a region, "" where it can be."""
    if trust < UNSURE:
        return "low_confidence"
    return "" if found else "empty_label"


def _read(picture: Picture, mask: Bools, frame: int, site: str, params: Params) -> Reading | None:
    """What a frame tells of one region; None where its label is too small."""
    unit = picture.spacing_mm or (1.0, 1.0)
    tissue = np.ones(mask.shape, dtype=np.bool_) if picture.tissue is None else picture.tissue
    if site == SUBCUTANEOUS:
        return _read_subcutaneous(mask, tissue, unit, params)
    if params.view == "transverse":
        values: dict[Key, float] = {("thickness", ""): thickness(mask, unit)}
        whole = in_view(mask, tissue)
        values["cross_sectional_area", ""] = area(mask, unit) if whole else np.nan
        return Reading(values, {} if whole else {("cross_sectional_area", ""): "not_imaged"})
    edges = edges_of(mask, tissue, unit, params.window)
    if edges is None:
        return None
    top = (float(np.flatnonzero(tissue.any(axis=1))[0]) - 0.5) * unit[0]
    return read_longitudinal(picture.pixels[frame, :, :, 0], mask, edges, unit, top, params)


def _read_subcutaneous(
    mask: Bools, tissue: Bools, unit: tuple[float, float], params: Params
) -> Reading | None:
    """Height of the layer at mid-width, or nearest to it where it is labelled."""
    edges = edges_of(mask, tissue, unit, params.window)
    if edges is None:
        return None
    upper, lower = edges.at(float(np.clip(edges.middle, edges.x[0], edges.x[-1])))
    return Reading({("subcutaneous_thickness", ""): lower - upper})


def _names(site: str, params: Params) -> list[Key]:
    if site == SUBCUTANEOUS:
        return [("subcutaneous_thickness", "")]
    if params.view == "transverse":
        return [("thickness", ""), ("cross_sectional_area", "")]
    profile = [("thickness_profile", f"width:{share:.2f}") for share in params.places]
    return [*((name, "") for name in LENGTHS), *profile, *((name, "") for name in ANGLES)]


def _rows(
    start: Row,
    readings: dict[int, Reading | None],
    reason: str,
    trust: float,
    site: str,
    picture: Picture,
    params: Params,
) -> Iterator[Row]:
    known = {frame: one for frame, one in readings.items() if one is not None}
    why = reason or ("" if known else "insufficient_data")
    for key in _names(site, params):
        if why:
            yield {
                **start,
                **_named(key, ""),
                **_unit(key[0], picture, frozenset()),
                "absent": why,
                "quality": "fail",
            }
            continue
        yield {**start, **_named(key, ""), **_joined(list(known.values()), key, trust, picture)}
        if len(known) > 1 and not key[1]:
            for frame, one in known.items():
                at = f"image:{frame + 1}"
                yield {**start, **_named(key, at), **_joined([one], key, trust, picture)}


def _named(key: Key, at: str) -> Row:
    return {"measure": key[0], "at": key[1] or at}


def _unit(measure: str, picture: Picture, flags: frozenset[str]) -> Row:
    word = words("measures")[measure]
    bare = picture.spacing_mm is None and bool(word["unit_uncalibrated"])
    flags = flags | {"uncalibrated"} if bare else flags
    return {"unit": word["unit_uncalibrated"] if bare else word["unit"], "flags": ";".join(sorted(flags))}


def _joined(readings: list[Reading], key: Key, trust: float, picture: Picture) -> Row:
    """The mean over frames that tell a value; absent where none does."""
    told = [one for one in readings if np.isfinite(one.values[key])]
    if not told:
        absent = readings[0].reasons.get(key, "not_defined")
        return {**_unit(key[0], picture, frozenset()), "absent": absent, "quality": "fail"}
    flags = frozenset().union(*(one.flags.get(key, frozenset()) for one in told))
    doubt = trust < DOUBTFUL
    if key[0] in OF_FASCICLES:
        doubt |= min(one.fit.confidence for one in told) < DOUBTFUL
    value = float(np.mean([one.values[key] for one in told]))
    return {**_unit(key[0], picture, flags), "value": value, "quality": "warn" if doubt else "ok"}
