"""Texture of ultrasound regions: IBSI features of a picture's pixels as a volume of one slice."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Picture
from myoproof.measures import radiomics_params
from myoproof.measures.echogenicity_params import Params
from myoproof.measures.radiomics_features import Image, expected, features, methods

Row = dict[str, Any]
Bools = npt.NDArray[np.bool_]
MOST_FRAMES = 3
"""Texture is the mean over at most this many frames, evenly taken from the labelled ones."""


def texture_rows(start: Row, picture: Picture, seen: Mapping[int, Bools], params: Params) -> Iterator[Row]:
    """Rows of IBSI features.

    Parameters
    ----------
    start : dict
        Key, method of the rule, flags.
    picture : Picture
        Pixels.
    seen : mapping of int to ndarray of bool
        Frame -> pixels that count.
    params : Params
        Families and bins.

    Yields
    ------
    dict
        Intensity statistics with the rule's method; matrices with ``:fbs8:2d_slice_merged`` behind it.
    """
    if not params.texture:
        return
    settings = _settings(params)
    frames = list(seen)
    chosen = [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(int))]
    made = [_features(picture, frame, seen[frame], settings) for frame in chosen]
    named = _methods(start["method"], settings)
    for method, names in expected(settings).items():
        for name in names:
            value = float(np.mean([own.get(method, {}).get(name, np.nan) for own in made]))
            row = {**start, "method": named[method], "measure": name}
            yield {**row, "value": value} if np.isfinite(value) else {**row, "absent": "not_defined"}


def absent_texture(start: Row, reason: str, params: Params) -> Iterator[Row]:
    """The same rows without values.

    Parameters
    ----------
    start : dict
        Key and method of the rule.
    reason : str
        Why.
    params : Params
        Families and bins.

    Yields
    ------
    dict
    """
    if not params.texture:
        return
    settings = _settings(params)
    named = _methods(start["method"], settings)
    for method, names in expected(settings).items():
        for name in names:
            yield {**start, "method": named[method], "measure": name, "absent": reason}


def _features(
    picture: Picture, frame: int, inside: Bools, settings: radiomics_params.Params
) -> Mapping[str, Mapping[str, float]]:
    values = picture.pixels[frame, :, :, :1].astype(np.float32)
    found, _ = features(Image(values, np.ones(3)), inside[:, :, np.newaxis], settings)
    return found


def _settings(params: Params) -> radiomics_params.Params:
    return radiomics_params.Params(
        channel="grey",
        bin_width=params.bin_width,
        bin_start=0.0,
        aggregations=(params.aggregation,),
        families=params.texture,
        replicates=0,
    )


def _methods(method: str, settings: radiomics_params.Params) -> dict[str, str]:
    """Method words of radiomics -> ours: the rule, and behind it the bins and the aggregation."""
    _, grey, levels, texture = methods(settings)
    ours = {grey: method, levels: f"{method}:{settings.discretisation}"}
    return ours | {own: f"{method}:{own.removeprefix(grey + ':')}" for own in texture.values()}
