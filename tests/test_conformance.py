"""Conformance of every measure and study: truth recovered, same rows from the same seed, inputs unchanged."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from myoproof.core.acquisition import Echoes
from myoproof.core.provenance import digest_arrays
from myoproof.core.table import KEY, validate
from myoproof.registry import REGISTRY, load, load_module
from myoproof.vocabulary.lookup import words

TOLERANCE = {"fat_fraction": 0.06, "fat_fraction_signal": 0.06, "volume": 0.15}
"""Largest difference from truth of the mean over muscles; relative for volume. Masks are the exact ones."""
TOLERANCE_MS = {"water_t2": 1.5}
"""The same for measures in ms."""

MEASURES = [name for name in REGISTRY["measures"] if name in REGISTRY["phantoms"]]


@pytest.fixture(scope="module", params=MEASURES)
def wing(request: pytest.FixtureRequest) -> tuple[str, Any]:
    phantom = load("phantoms", request.param)(rng=np.random.default_rng(3))
    return request.param, phantom


def measured(wing: tuple[str, Any], regions: Any) -> pd.DataFrame:
    name, phantom = wing
    module = load_module("measures", name)
    return load("measures", name)(phantom.acquisition, regions, context=None, params=module.Params())


def arrays_of(phantom: Any) -> list[Any]:
    payload = phantom.acquisition.payload
    images = [payload.values] if isinstance(payload, Echoes) else list(payload.channels.values())
    return [*images, phantom.segmentation.labels]


def test_truth_is_recovered(wing: tuple[str, Any]) -> None:
    name, phantom = wing
    rows = measured(wing, phantom.exact)
    rows = rows[rows["method"] == load_module("measures", name).METHOD]
    key = [column for column in KEY if column not in ("method", "rater")]
    both = rows.merge(phantom.truth, on=key, suffixes=("", "_true"))
    both = both[both["at"] == ""]
    tolerances = {**TOLERANCE, **TOLERANCE_MS}
    shown = set(tolerances) & set(phantom.truth["measure"])
    assert shown
    for measure in sorted(shown):
        tolerance, pairs = tolerances[measure], both[both["measure"] == measure]
        assert len(pairs) >= 11
        error = (pairs["value"] - pairs["value_true"]).abs()
        error = error / pairs["value_true"] if measure == "volume" else error
        assert error.mean() < tolerance, measure


def test_same_seed_same_rows_and_inputs_unchanged(wing: tuple[str, Any]) -> None:
    name, phantom = wing
    arrays = arrays_of(phantom)
    before = digest_arrays(*arrays)
    rows = measured(wing, phantom.segmentation)
    again = load("phantoms", name)(rng=np.random.default_rng(3))
    assert digest_arrays(*arrays_of(again)) == before
    pd.testing.assert_frame_equal(measured((name, again), again.segmentation), rows)
    assert digest_arrays(*arrays) == before


def test_rows_speak_the_vocabulary(wing: tuple[str, Any]) -> None:
    rows = validate(measured(wing, wing[1].segmentation))
    assert set(rows["measure"]) <= set(words("measures"))
    assert set(rows["site"]) <= set(words("sites"))


def test_an_empty_region_gives_absent_rows(wing: tuple[str, Any]) -> None:
    regions = wing[1].segmentation
    label, (site, _) = next(iter(regions.names.items()))
    emptied = replace(regions, labels=np.where(regions.labels == label, 0, regions.labels).astype(np.uint16))
    rows = measured(wing, emptied)
    gone = rows[rows["site"] == site]
    assert len(gone) > 0
    assert gone["value"].isna().all()
    assert set(gone["absent"]) == {"empty_label"}
    assert rows.loc[rows["site"] != site, "value"].notna().any()
