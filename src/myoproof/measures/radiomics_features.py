"""All IBSI features of one region, by the method word that their settings make."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from myoproof.measures.radiomics_params import Params
from myoproof.numerics.ibsi_grey import discretise, resample, resegment
from myoproof.numerics.ibsi_intensity import histogram, peaks, statistics, volume_histogram
from myoproof.numerics.ibsi_shape import morphology
from myoproof.numerics.ibsi_texture import (
    cooccurrence_features,
    dependence_features,
    run_features,
    tone_features,
    zone_features,
)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
MARGIN_MM = 8.0
"""Kept around a region: more than the radius of the 1 cm3 ball of the intensity peaks."""
METHOD = "radiomics"

Found = dict[str, dict[str, float]]
"""Method word -> feature word -> value; NaN where the feature is not defined."""


@dataclass(frozen=True, slots=True)
class Image:
    """A channel with slices along the last axis.

    Parameters
    ----------
    values : ndarray, shape (a, b, slice), float32
        Intensities; NaN where unknown.
    spacing_mm : ndarray, shape (3,)
        Distance between voxel centres.
    """

    values: npt.NDArray[np.float32]
    spacing_mm: Floats


@dataclass(frozen=True, slots=True)
class _Region:
    """A region cut out: intensities, morphological mask, intensity mask."""

    values: Floats
    mask: Bools
    inside: Bools
    spacing_mm: Floats


def features(image: Image, mask: Bools, params: Params) -> tuple[Found, str]:
    """The features of one region.

    Parameters
    ----------
    image : Image
        The whole image.
    mask : ndarray of bool, same shape
        The region, not empty.
    params : Params
        Settings.

    Returns
    -------
    found : dict
        Method word -> feature word -> value.
    absent : str
        Why there is none, a word of the vocabulary ``absent``; "" where there are some.
    """
    region = _cut(image, mask, params)
    absent = _absent(region, mask, params)
    if absent:
        return {}, absent
    shape, grey = methods(params)[:2]
    out: Found = {shape: {}, grey: {}}
    if "morphology" in params.families:
        spatial = morphology(region.mask, region.spacing_mm, region.values, region.inside)
        out[grey] |= {name: value for name, value in spatial.items() if name in WEIGHTED}
        out[shape] = {name: value for name, value in spatial.items() if name not in WEIGHTED}
    if "statistics" in params.families:
        out[grey] |= statistics(region.values[region.inside])
    if "local" in params.families:
        out[grey] |= peaks(region.values, region.inside, region.spacing_mm)
    if "volume_histogram" in params.families:
        out[grey] |= _volume_histogram(region, params)
    return {name: found for name, found in (out | _discretised(region, params)).items() if found}, ""


WEIGHTED = frozenset(
    f"morphology_{name}"
    for name in ("centre_of_mass_shift", "integrated_intensity", "moran_index", "geary_measure")
)
"""Features of morphology in which intensity has a say."""


def methods(params: Params) -> tuple[str, str, str, dict[str, str]]:
    """Method words: of shape, of intensity, of the histogram, and of texture by aggregation."""
    steps = [params.resampling] if params.resampling else []
    shape = ":".join([METHOD, *steps])
    grey = ":".join([METHOD, params.channel, *steps])
    levels = f"{grey}:{params.discretisation}"
    texture = {name: f"{levels}:{name}" for name in params.aggregations}
    texture |= {_whole(name): f"{levels}:{_whole(name)}" for name in params.aggregations}
    return shape, grey, levels, texture


def _whole(aggregation: str) -> str:
    """The aggregation of matrices without directions that goes with one of those with directions."""
    return "2_5d" if aggregation.startswith("2_5d") else aggregation.partition("_")[0]


def _cut(image: Image, mask: Bools, params: Params) -> _Region:
    margin = np.ceil(MARGIN_MM / image.spacing_mm).astype(int)
    box = tuple(
        slice(max(0, int(where.min()) - room), int(where.max()) + room + 1)
        for where, room in zip(np.nonzero(mask), margin, strict=True)
    )
    values, own = image.values[box].astype(np.float64), mask[box]
    spacing = image.spacing_mm
    if params.resample_mm is not None:
        spacing = np.array([params.resample_mm[0], params.resample_mm[0], params.resample_mm[1]])
        values, own, _ = resample(values, own, image.spacing_mm, spacing)
    inside = resegment(values, own, bounds=params.intensity_range, outlier_sd=params.outlier_sd)
    return _Region(values, own, inside, spacing)


def _volume_histogram(region: _Region, params: Params) -> dict[str, float]:
    """Over bins between the region's lowest and highest value, each standing for its centre."""
    n = params.volume_histogram_bins
    levels = discretise(region.values, region.inside, how="number", amount=n)[region.inside]
    own = region.values[region.inside]
    low, high = float(own.min()), float(own.max())
    return volume_histogram(levels, n, low + (np.arange(n) + 0.5) * (high - low) / n)


def _discretised(region: _Region, params: Params) -> Found:
    _, _, name, texture = methods(params)
    levels = _levels(region, params)
    n = params.bins if params.bin_width is None else int(levels.max())
    out: Found = {word: {} for word in (name, *texture.values())}
    if "histogram" in params.families and n <= params.volume_histogram_bins:
        out[name] |= histogram(levels[region.inside], n)
    if n > params.most_levels:
        return out
    core = tuple(slice(int(where.min()), int(where.max()) + 1) for where in np.nonzero(region.mask))
    levels, outline = np.ascontiguousarray(levels[core]), region.mask[core]
    for word in params.aggregations:
        if "glcm" in params.families:
            out[texture[word]] |= cooccurrence_features(levels, n, word)
        if "glrlm" in params.families:
            out[texture[word]] |= run_features(levels, n, word)
    for word in dict.fromkeys(_whole(name) for name in params.aggregations):
        if "zones" in params.families:
            out[texture[word]] |= zone_features(levels, outline, n, word)
        if "ngtdm" in params.families:
            out[texture[word]] |= tone_features(levels, n, word)
        if "ngldm" in params.families:
            out[texture[word]] |= dependence_features(levels, n, word, coarseness=params.coarseness)
    return out


def _levels(region: _Region, params: Params) -> npt.NDArray[np.int32]:
    if params.bin_width is None:
        return discretise(region.values, region.inside, how="number", amount=params.bins)
    return discretise(
        region.values, region.inside, how="width", amount=params.bin_width, lowest=first_level(params)
    )


def first_level(params: Params) -> float | None:
    """Where the first grey level of fixed width begins; None: at the region's minimum."""
    low = None if params.intensity_range is None else params.intensity_range[0]
    return low if params.bin_start is None else params.bin_start


def _absent(region: _Region, mask: Bools, params: Params) -> str:
    if int(region.inside.sum()) < params.least_voxels:
        return "insufficient_data" if int(mask.sum()) < params.least_voxels else "no_signal"
    start = first_level(params)
    if params.bin_width is None or start is None:
        return ""
    return "out_of_domain" if float(region.values[region.inside].min()) < start else ""


@cache
def expected(params: Params) -> Mapping[str, tuple[str, ...]]:
    """Every method word with its feature words, as an ordinary region gives them."""
    plain = replace(
        params,
        bins=4,
        bin_width=None,
        intensity_range=None,
        outlier_sd=None,
        resample_mm=None,
        least_voxels=1,
    )
    block = np.add.outer(np.add.outer(np.arange(5), np.arange(5)), np.arange(5)) % 4
    image = Image(block.astype(np.float32), np.ones(3))
    found, _ = features(image, np.ones(block.shape, dtype=bool), plain)
    ours, theirs = (_flat(methods(own)) for own in (plain, params))
    renamed = dict(zip(ours, theirs, strict=True))
    return {renamed[name]: tuple(own) for name, own in found.items()}


def _flat(words: tuple[str, str, str, dict[str, str]]) -> list[str]:
    return [*words[:3], *words[3].values()]
