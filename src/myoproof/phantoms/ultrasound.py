"""The simulated ultrasound cohort: ALS patients of several centres as tables, their truth apart."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.phantoms.constants import constant
from myoproof.phantoms.people import subject_names, subjects_frame
from myoproof.phantoms.ultrasound_model import (
    ANALYSED,
    SHAPES,
    TWO_CLASSES,
    Draw,
    Shape,
    UltrasoundParams,
    draw,
    feature_sites,
)

__all__ = ["ANALYSED", "SHAPES", "Draw", "Shape", "UltrasoundParams", "cohort", "draw", "simulate", "tables"]

SESSION = "m00"
SIDES = ("left", "right")
CMAP_SIDE = "right"


def cohort(*, rng: np.random.Generator, params: UltrasoundParams = TWO_CLASSES) -> Cohort:
    """The simulated ultrasound cohort as tables; see :func:`draw`.

    Parameters
    ----------
    rng : Generator
        The only source of randomness.
    params : UltrasoundParams
        Preset, separation, shape and size.

    Returns
    -------
    Cohort
        Session m00: muscle thickness (mm), echogenicity (grey) and nerve area (mm2) by side; MMT, CMAP (mV)
        and ALSFRS-R.

    References
    ----------
    Wang 2026, J Neurol, 10.1007/s00415-026-13705-4.
    """
    return simulate(rng=rng, params=params)[0]


def simulate(
    *, rng: np.random.Generator, params: UltrasoundParams = TWO_CLASSES
) -> tuple[Cohort, pd.DataFrame]:
    """The simulated cohort and, apart from it, the truth.

    Parameters
    ----------
    rng : Generator
        The only source of randomness.
    params : UltrasoundParams
        Preset, separation, shape and size.

    Returns
    -------
    Cohort
        As :func:`cohort`.
    DataFrame
        ``subject``, ``severity`` (higher is worse) and, in the two-class preset alone, ``severe``.
    """
    drawn = draw(rng=rng, params=params)
    names = subject_names(params.n, "us")
    truth = pd.DataFrame({"subject": names, "severity": drawn.severity})
    if params.preset == "two-classes":
        truth["severe"] = drawn.severe
    return tables(drawn), truth


def tables(drawn: Draw) -> Cohort:
    """A draw as cohort tables, rows in the order of the draw."""
    n = len(drawn.severity)
    names = subject_names(n, "us")
    centres = [f"centre-{code + 1}" for code in drawn.centre]
    covariates = pd.DataFrame({"subject": names, "body_mass_index": drawn.people.body_mass_index})
    return make_cohort(
        subjects_frame(drawn.people, names, centres, patients=True),
        _acquisitions(names, centres, drawn.device),
        _measurements(names, drawn),
        covariates=covariates,
    )


def _acquisitions(names: list[str], centres: list[str], device: npt.NDArray[np.int64]) -> pd.DataFrame:
    scanned = pd.DataFrame(
        {
            "subject": names,
            "session": SESSION,
            "modality": "ultrasound",
            "day": 0.0,
            "centre": centres,
            "device": [f"device-{'abc'[code]}" for code in device],
            "preset": "neuromuscular",
            "protocol": "nmus",
        }
    )
    clinic = scanned.assign(device="", preset="", protocol="")
    return pd.concat(
        [scanned, clinic.assign(modality="nerve_conduction"), clinic.assign(modality="clinical")],
        ignore_index=True,
    )


def _measurements(names: list[str], drawn: Draw) -> pd.DataFrame:
    measures, sites = feature_sites()
    n, k = drawn.missing.shape
    values = np.where(drawn.missing[..., np.newaxis], np.nan, drawn.sides)
    scans = pd.DataFrame(
        {
            "subject": np.repeat(names, k * 2),
            "modality": "ultrasound",
            "site": np.tile(np.repeat(sites, 2), n),
            "side": np.tile(SIDES, n * k),
            "measure": np.tile(np.repeat(measures, 2), n),
            "value": values.ravel(),
        }
    )
    muscles = [record["site"] for record in constant("ultrasound.cmap")]
    nerves = pd.DataFrame(
        {
            "subject": np.repeat(names, len(muscles)),
            "modality": "nerve_conduction",
            "site": np.tile(muscles, n),
            "side": CMAP_SIDE,
            "measure": "cmap_amplitude",
            "value": drawn.cmap_mv.ravel(),
        }
    )
    clinic = {"subject": names, "modality": "clinical", "site": "total", "side": ""}
    strength = pd.DataFrame(
        {**clinic, "measure": "manual_muscle_testing", "value": drawn.manual_muscle_testing}
    )
    function = pd.DataFrame({**clinic, "measure": "alsfrs_r", "value": drawn.alsfrs_r})
    rows = pd.concat([scans, nerves, strength, function], ignore_index=True)
    absent = np.where(rows["value"].isna(), "not_measured", "")
    return rows.assign(session=SESSION, method="simulated", flags="simulated", absent=absent)
