"""The simulated MRI cohort: patients and controls at months 0, 6 and 12 as tables, their truth apart."""

import numpy as np
import pandas as pd

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.phantoms.constants import constant
from myoproof.phantoms.mri_model import (
    PUBLISHED_SIZE,
    SESSIONS,
    Measured,
    MriDraw,
    MriParams,
    draw,
    muscle_sites,
    region_sites,
)
from myoproof.phantoms.people import People, subject_names, subjects_frame

__all__ = ["MriDraw", "MriParams", "cohort", "draw", "simulate", "tables"]

MAXIMUM = "maximum"


def cohort(*, rng: np.random.Generator, params: MriParams = PUBLISHED_SIZE) -> Cohort:
    """The simulated MRI cohort as tables.

    Parameters
    ----------
    rng : Generator
        The only source of randomness.
    params : MriParams
        Size of the arms, and whether patients leave.

    Returns
    -------
    Cohort
        Sessions m00, m06, m12 as far as they took place: fat fraction, volume (mL), area (mm2), functional
        remaining area (mm2), T2 (ms) of four regions, fat fraction and volume of thigh and calf muscles,
        strength (N) and ALSFRS-R. A region's volume is the sum of its muscles, its fat fraction their mean by
        volume.

    References
    ----------
    Klickovic 2025, JNNP 96:908-911.
    """
    return simulate(rng=rng, params=params)[0]


def simulate(*, rng: np.random.Generator, params: MriParams = PUBLISHED_SIZE) -> tuple[Cohort, pd.DataFrame]:
    """The simulated cohort and, apart from it, the truth.

    Parameters
    ----------
    rng : Generator
        The only source of randomness.
    params : MriParams
        Size of the arms, and whether patients leave.

    Returns
    -------
    Cohort
        As :func:`cohort`.
    DataFrame
        ``subject, session, day, seen`` and for each region ``volume_ml_SITE`` (without error, also for visits
        that did not take place) and ``loss_per_year_SITE`` (log volume).
    """
    drawn = draw(rng=rng, params=params)
    names = _names(drawn)
    visits = len(SESSIONS)
    truth = pd.DataFrame(
        {
            "subject": np.repeat(names, visits),
            "session": np.tile(SESSIONS, len(names)),
            "day": drawn.day.ravel(),
            "seen": drawn.seen.ravel(),
        }
    )
    for column, site in enumerate(region_sites()):
        truth[f"volume_ml_{site}"] = drawn.true_volume_ml[..., column].ravel()
        truth[f"loss_per_year_{site}"] = np.repeat(drawn.loss_per_year[:, column], visits)
    return tables(drawn), truth


def tables(drawn: MriDraw) -> Cohort:
    """A draw as cohort tables; visits that did not take place have no rows and end in an event."""
    names = _names(drawn)
    return make_cohort(
        _subjects(drawn, names),
        _acquisitions(drawn, names),
        _measurements(drawn, names),
        _events(drawn, names),
        pd.DataFrame({"subject": names, "body_mass_index": drawn.people.body_mass_index}),
    )


def _names(drawn: MriDraw) -> list[str]:
    patients = int(drawn.patient.sum())
    return subject_names(patients, "als") + subject_names(len(drawn.patient) - patients, "control")


def _subjects(drawn: MriDraw, names: list[str]) -> pd.DataFrame:
    centre = [f"centre-{code + 1}" for code in drawn.centre]
    parts = []
    for arm in (True, False):
        chosen = np.flatnonzero(drawn.patient == arm)
        people = People(*(getattr(drawn.people, field)[chosen] for field in People.__dataclass_fields__))
        parts.append(
            subjects_frame(people, [names[i] for i in chosen], [centre[i] for i in chosen], patients=arm)
        )
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _long(drawn: MriDraw, names: list[str]) -> pd.DataFrame:
    """A row for each visit that took place; ``cell`` is its place among (subject, visit)."""
    visits = len(SESSIONS)
    frame = pd.DataFrame(
        {
            "subject": np.repeat(names, visits),
            "session": np.tile(SESSIONS, len(names)),
            "cell": np.arange(len(names) * visits),
        }
    )
    return frame[drawn.seen.ravel()].reset_index(drop=True)


def _acquisitions(drawn: MriDraw, names: list[str]) -> pd.DataFrame:
    long = _long(drawn, names)
    cell = long["cell"].to_numpy()
    device = np.array(constant("mri.device")["names"])[drawn.device.ravel()[cell]]
    base = long[["subject", "session"]].assign(
        day=drawn.day.ravel()[cell],
        centre=[f"centre-{drawn.centre[row // len(SESSIONS)] + 1}" for row in cell],
    )
    scans = [
        base.assign(modality="dixon", device=device, preset="3t", protocol="dixon-6-echoes"),
        base.assign(modality="t2_mapping", device=device, preset="3t", protocol="multi-echo-spin-echo"),
    ]
    return pd.concat([*scans, base.assign(modality="clinical")], ignore_index=True)


def _measurements(drawn: MriDraw, names: list[str]) -> pd.DataFrame:
    long = _long(drawn, names)
    regions, muscles = region_sites(), muscle_sites()
    named = [column for column, (region, muscle) in enumerate(muscles) if region != muscle]
    sites = [muscles[column][1] for column in named]
    strengths = constant("mri.strength")
    blocks = [
        *_blocks(long, drawn.regions, regions),
        *_blocks(long, _columns(drawn.muscles, named), sites),
    ]
    for column, record in enumerate(strengths):
        block = _block(long, drawn.strength[..., [column]], [record["site"]], record["measure"])
        blocks.append(block.assign(modality="clinical"))
    score = _block(long, drawn.alsfrs_r[..., np.newaxis], ["total"], "alsfrs_r")
    patients = score["subject"].isin([name for name, sick in zip(names, drawn.patient, strict=True) if sick])
    blocks.append(score[patients].assign(modality="clinical", side=""))
    rows = pd.concat(blocks, ignore_index=True)
    absent = np.where(rows["value"].isna(), "not_measured", "")
    return rows.assign(method="simulated", flags="simulated", absent=absent)


def _blocks(long: pd.DataFrame, measured: Measured, sites: list[str]) -> list[pd.DataFrame]:
    measures = [
        ("fat_fraction", measured.fat_fraction, "", "dixon"),
        ("volume", measured.volume_ml, "", "dixon"),
        ("cross_sectional_area", measured.area_mm2, MAXIMUM, "dixon"),
        ("functional_remaining_area", measured.remaining_area_mm2, MAXIMUM, "dixon"),
        ("muscle_t2", measured.t2_ms, "", "t2_mapping"),
    ]
    return [
        _block(long, values, sites, measure).assign(at=at, modality=modality)
        for measure, values, at, modality in measures
        if values.shape[2]
    ]


def _block(long: pd.DataFrame, values: np.ndarray, sites: list[str], measure: str) -> pd.DataFrame:
    """Rows of one measure: values of shape (n, 3, k) at the visits that took place."""
    k = len(sites)
    return pd.DataFrame(
        {
            "subject": np.repeat(long["subject"].to_numpy(), k),
            "session": np.repeat(long["session"].to_numpy(), k),
            "site": np.tile(sites, len(long)),
            "side": "both",
            "at": "",
            "measure": measure,
            "value": values.reshape(-1, k)[long["cell"].to_numpy()].ravel(),
        }
    )


def _columns(measured: Measured, columns: list[int]) -> Measured:
    none = measured.area_mm2
    return Measured(measured.volume_ml[..., columns], measured.fat_fraction[..., columns], none, none, none)


def _events(drawn: MriDraw, names: list[str]) -> pd.DataFrame:
    """Dropout: observed on the day of the first missed visit, else censored at the last visit."""
    last = drawn.seen.sum(axis=1) - 1
    left = last < len(SESSIONS) - 1
    rows = np.arange(len(names))
    end = drawn.day[rows, np.where(left, last + 1, last)]
    status = np.where(left, "observed", "censored")
    return pd.DataFrame(
        {"subject": names, "start_day": 0.0, "end_day": end, "kind": "dropout", "status": status}
    )
