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
from myoproof.measures.architecture_longitudinal import ANGLES, LENGTHS, Reading, read_longitudinal
from myoproof.measures.architecture_params import UNSURE, Params, check
from myoproof.measures.architecture_rows import Region
from myoproof.measures.architecture_transverse import TOGETHER, area, in_view, thickness, together

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
        trust = segmentation.confidence.get(label)
        masks = segmentation.labels == label
        frames = [int(frame) for frame in np.flatnonzero(masks.any(axis=(1, 2)))]
        readings = {frame: _read(picture, masks[frame], frame, site, params) for frame in frames}
        region = Region(own, picture.spacing_mm is not None, trust, params.level)
        rows += region.rows(_names(site, params), readings, _reason(trust, bool(frames)))
    if params.view == "transverse":
        rows += _group_rows(start, picture, segmentation)
    return from_rows(rows)


def _group_rows(start: Row, picture: Picture, segmentation: Segmentation) -> Iterator[Row]:
    """Thickness of a muscle and the one beneath it together, to the bone."""
    unit = picture.spacing_mm or (1.0, 1.0)
    held = {name: label for label, name in segmentation.names.items()}
    for (upper, deeper), group in TOGETHER.items():
        for side in sorted({name[1] for name in held}):
            if (upper, side) not in held or (deeper, side) not in held:
                continue
            pair = held[upper, side], held[deeper, side]
            own = {**start, "site": group, "side": side}
            stated = [segmentation.confidence[label] for label in pair if label in segmentation.confidence]
            masks = [segmentation.labels == label for label in pair]
            frames = np.flatnonzero(masks[0].any(axis=(1, 2)) & masks[1].any(axis=(1, 2)))
            readings = {
                int(frame): Reading(
                    {("thickness", ""): together(masks[0][frame], masks[1][frame], unit)},
                    {("thickness", ""): "not_defined"},
                )
                for frame in frames
            }
            trust = min(stated, default=None)
            region = Region(own, picture.spacing_mm is not None, trust, 0.95)
            yield from region.rows([("thickness", "")], readings, _reason(trust, bool(frames.size)))


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


def _reason(trust: float | None, found: bool) -> str:
    """Why nothing is told of a region, "" where it can be; ``trust`` is None where nobody states any."""
    if trust is None:
        return "" if found else "empty_label"
    if not found and trust <= 0.0:
        return "no_muscle_found"
    return "" if found and trust >= UNSURE else "low_confidence"


def _read(picture: Picture, mask: Bools, frame: int, site: str, params: Params) -> Reading | None:
    """What a frame tells of one region; None where its label is too small."""
    unit = picture.spacing_mm or (1.0, 1.0)
    tissue = np.ones(mask.shape, dtype=np.bool_) if picture.tissue is None else picture.tissue
    if site == SUBCUTANEOUS:
        return _read_subcutaneous(mask, tissue, unit, params)
    if params.view == "transverse":
        on_bone = site in {deeper for _, deeper in TOGETHER}
        values: dict[Key, float] = {("thickness", ""): thickness(mask, unit, on_bone=on_bone)}
        whole = not on_bone and in_view(mask, tissue)
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
