"""The model of the MRI cohort: a disease tempo that wastes muscle, and what scanner and clinic see of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr
from scipy.stats import gamma

from myoproof.errors import InvalidInput
from myoproof.phantoms.constants import constant
from myoproof.phantoms.people import (
    DAYS_PER_MONTH,
    Floats,
    People,
    draw_people,
    enrolled_in_time,
    lost_points,
)

SESSIONS = ("m00", "m06", "m12")
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class MriParams:
    """What is simulated.

    Parameters
    ----------
    n_als, n_control : int
        Subjects of each arm.
    dropout : bool
        Whether patients leave the study; the chance rises with the decline that is then not seen.

    Raises
    ------
    InvalidInput
        If an arm is negative or both are empty.
    """

    n_als: int = 20
    n_control: int = 16
    dropout: bool = True

    def __post_init__(self) -> None:
        if min(self.n_als, self.n_control) < 0 or self.n_als + self.n_control == 0:
            raise InvalidInput(f"{self.n_als} patients and {self.n_control} controls")


PUBLISHED_SIZE = MriParams()
"""The default: 20 patients and 16 controls."""


@dataclass(frozen=True, slots=True)
class MriDraw:
    """One simulated cohort as arrays: subjects x visits (m00, m06, m12), patients first.

    Parameters
    ----------
    people : People
        Age, sex, body, onset (without meaning in controls).
    patient : ndarray of bool, shape (n,)
        ALS, or control.
    centre : ndarray of int, shape (n,)
        Code from 0.
    day : ndarray, shape (n, 3)
        Day of each visit, baseline 0.
    device : ndarray of int, shape (n, 3)
        Code from 0 of the scanner.
    seen : ndarray of bool, shape (n, 3)
        Visits that took place.
    muscles : Measured
        The muscles of :func:`muscle_sites`.
    regions : Measured
        The regions of :func:`region_sites`.
    strength : ndarray, shape (n, 3, 3)
        Newton, subjects x visits x the measures of ``mri.strength``; NaN where not measured.
    alsfrs_r : ndarray, shape (n, 3)
        Total score; NaN in controls.
    loss_per_year : ndarray, shape (n, 4)
        Truth: log volume each region loses a year.
    true_volume_ml : ndarray, shape (n, 3, 4)
        Truth: volume of each region at each visit.
    """

    people: People
    patient: npt.NDArray[np.bool_]
    centre: npt.NDArray[np.int64]
    day: Floats
    device: npt.NDArray[np.int64]
    seen: npt.NDArray[np.bool_]
    muscles: "Measured"
    regions: "Measured"
    strength: Floats
    alsfrs_r: Floats
    loss_per_year: Floats
    true_volume_ml: Floats


@dataclass(frozen=True, slots=True)
class Measured:
    """Measures of muscles or regions, each (n, 3, k); areas and T2 are of regions alone (else k = 0)."""

    volume_ml: Floats
    fat_fraction: Floats
    area_mm2: Floats
    remaining_area_mm2: Floats
    t2_ms: Floats


def region_sites() -> list[str]:
    """The regions, in the order of the last axis."""
    return [region["site"] for region in constant("mri.region")]


def muscle_sites() -> list[tuple[str, str]]:
    """(region, muscle) in the order of the last axis; a region without named muscles stands for itself."""
    named: Mapping[str, Mapping[str, Any]] = constant("mri.muscles")
    return [(region, muscle) for region in region_sites() for muscle in named.get(region, {region: 1.0})]


def draw(*, rng: np.random.Generator, params: MriParams = PUBLISHED_SIZE) -> MriDraw:
    """Draw a cohort as arrays.

    One tempo of the disease drives the rate at which each region loses volume (gamma distributed, so that all
    lose and few lose much), the ALSFRS-R, strength, fat and T2. Dropout looks at the decline since the last
    visit.

    Parameters
    ----------
    rng : Generator
        The only source of randomness.
    params : MriParams
        What is simulated.

    References
    ----------
    Klickovic 2025, JNNP 96:908-911, for the design and the effects that the constants are tuned to.

    Examples
    --------
    >>> one = draw(rng=np.random.default_rng(1))
    >>> one.regions.volume_ml.shape, one.muscles.volume_ml.shape
    ((36, 3, 4), (36, 3, 18))
    """
    n = params.n_als + params.n_control
    patient = np.arange(n) < params.n_als
    tempo = rng.standard_normal(n)
    follow = constant("mri.tempo_rate_loading")
    speed = follow * tempo + np.sqrt(1 - follow**2) * rng.standard_normal(n)
    people = enrolled_in_time(draw_people(n, rng=rng, fast=speed), constant("mri.most_points_lost"))
    centre, day, device = _visits(n, rng)
    loss = _loss_per_year(tempo, patient, rng)
    size = rng.standard_normal(n)
    muscles, regions, volume = _image(people, patient, (day, device), (loss, size), rng)
    score, shown = _alsfrs_r(people, patient, day, rng)
    seen = _seen(score, patient, rng)
    return MriDraw(
        people=people,
        patient=patient,
        centre=centre,
        day=day,
        device=device,
        seen=seen if params.dropout else np.ones_like(seen),
        muscles=muscles,
        regions=regions,
        strength=_strength(people, patient, day, (loss, size), rng),
        alsfrs_r=shown,
        loss_per_year=loss,
        true_volume_ml=volume,
    )


def _visits(n: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int64]]:
    """Centre (n,), day (n, 3) and device (n, 3)."""
    plan, site = constant("mri.visit_days"), constant("mri.centre")
    jitter = np.clip(rng.standard_normal((n, 3)), -2.5, 2.5) * plan["jitter_sd"]
    day = np.round(np.asarray(plan["planned"]) + jitter)
    centre = rng.choice(len(site["shares"]), size=n, p=site["shares"])
    enrolled = rng.random(n) * site["enrolment_days"]
    upgraded = (enrolled[:, np.newaxis] + day >= site["upgrade_day"]) & (centre == 1)[:, np.newaxis]
    return centre, day, centre[:, np.newaxis] + upgraded


def _loss_per_year(tempo: Floats, patient: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Log volume lost a year by each region, shape (n, 4)."""
    regions = [region["value"] for region in constant("mri.region")]
    share = constant("mri.region_correlation")
    own = rng.standard_normal((len(tempo), len(regions)))
    score = np.sqrt(share) * tempo[:, np.newaxis] + np.sqrt(1 - share) * own
    shape = np.array([region["rate_shape"] for region in regions])
    mean = np.array([region["loss"] for region in regions])
    drift = constant("mri.control_loss_per_year")
    healthy = drift["low"] + (drift["high"] - drift["low"]) * rng.random((len(tempo), 1))
    wasting = gamma.ppf(ndtr(score), shape) / shape * mean
    return np.asarray(np.where(patient[:, np.newaxis], wasting, healthy))


def _image(
    people: People,
    patient: npt.NDArray[np.bool_],
    visits: tuple[Floats, npt.NDArray[np.int64]],
    drawn: tuple[Floats, Floats],
    rng: np.random.Generator,
) -> tuple[Measured, Measured, Floats]:
    """What the scanner measures of muscles and regions, and the true volume of the regions."""
    day, device = visits
    loss, size = drawn
    sites = muscle_sites()
    of_region = np.array([region_sites().index(region) for region, _ in sites])
    totals = (np.arange(len(region_sites())) == of_region[:, np.newaxis]).astype(np.float64)
    vary, scan, shift = constant("mri.muscle_variation"), constant("mri.scan"), constant("mri.device")
    n, k = len(patient), len(sites)
    share = _shares(sites) * np.exp(vary["share_log_sd"] * rng.standard_normal((n, k)))
    share /= (share @ totals)[:, of_region]
    weight = np.exp(vary["rate_log_sd"] * rng.standard_normal((n, k)))
    weight /= ((share * weight) @ totals)[:, of_region]
    start = _start_volume(people, patient, size, rng)[:, of_region] * share
    lost = (weight * loss[:, of_region])[:, np.newaxis] * (day / DAYS_PER_YEAR)[..., np.newaxis]
    true_volume = start[:, np.newaxis] * np.exp(-lost)
    rough = _region_noise(n, rng)
    own = scan["muscle_log_sd"] * np.array([region != muscle for region, muscle in sites])
    error = rough[..., of_region] + own * rng.standard_normal((n, 3, k))
    error += np.asarray(shift["volume_log"])[device][..., np.newaxis]
    volume = np.round(true_volume * np.exp(error), 2)
    fat = _fat(patient, lost, of_region, rng)
    fat = fat + np.asarray(shift["fat"])[device][..., np.newaxis]
    fat = np.asarray(np.round(np.clip(fat, 0.005, 0.95), 5), dtype=np.float64)
    region_volume = volume @ totals
    region_fat = np.round((volume * fat) @ totals / region_volume, 6)
    true_region = true_volume @ totals
    area = _area(true_region, device, rng)
    t2 = _t2(patient, 1 - true_region / true_region[:, :1], day, device, rng)
    none = np.empty((n, 3, 0))
    muscles = Measured(volume, fat, none, none, none)
    regions = Measured(np.round(region_volume, 2), region_fat, area, np.round(area * (1 - region_fat), 2), t2)
    return muscles, regions, true_region


def _shares(sites: list[tuple[str, str]]) -> Floats:
    named = constant("mri.muscles")
    return np.array([named[region][muscle][0] if region in named else 1.0 for region, muscle in sites])


def _start_volume(
    people: People, patient: npt.NDArray[np.bool_], size: Floats, rng: np.random.Generator
) -> Floats:
    """True volume of the regions at baseline, shape (n, 4)."""
    regions = [region["value"] for region in constant("mri.region")]
    share, before = constant("mri.body_size_correlation"), constant("mri.baseline_loss")
    own = rng.standard_normal((len(size), len(regions)))
    score = np.sqrt(share) * size[:, np.newaxis] + np.sqrt(1 - share) * own
    earlier = patient[:, np.newaxis] * rng.standard_gamma(before["shape"], (len(size), 1))
    log_volume = (
        np.log([region["volume_ml"] for region in regions])
        + np.where(people.male, 0.0, 1.0)[:, np.newaxis]
        * np.log([region["female_ratio"] for region in regions])
        + np.array([region["log_sd"] for region in regions]) * score
        - before["mean"] / before["shape"] * earlier
    )
    return np.asarray(np.exp(log_volume))


def _region_noise(n: int, rng: np.random.Generator) -> Floats:
    """Error of one visit that all muscles of a region share, log volume or area, shape (n, 3, 4)."""
    sd = np.array([region["value"]["scan_log_sd"] for region in constant("mri.region")])
    return np.asarray(sd * rng.standard_normal((n, 3, len(sd))))


def _fat(
    patient: npt.NDArray[np.bool_], lost: Floats, of_region: npt.NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Measured fat fraction of the muscles before the device, shape (n, 3, k)."""
    fat, scan, vary = constant("mri.fat"), constant("mri.scan"), constant("mri.muscle_variation")
    regions = [region["value"]["fat"] for region in constant("mri.region")]
    named = constant("mri.muscles")
    ratio = np.array([named[r][m][1] if r in named else 1.0 for r, m in muscle_sites()])
    n, _, k = lost.shape
    person = np.exp(fat["person_log_sd"] * rng.standard_normal((n, 1)))
    own = np.exp(vary["fat_log_sd"] * rng.standard_normal((n, k)))
    start = np.array(regions)[of_region] * ratio * person * own
    start *= np.where(patient, 1.0, fat["control_ratio"])[:, np.newaxis]
    rise = fat["rise_per_loss"] * np.exp(fat["rise_log_sd"] * rng.standard_normal((n, len(regions))))
    noise = scan["fat_region"] * rng.standard_normal((n, 3, len(regions)))
    noise = noise[..., of_region] + scan["fat_muscle"] * rng.standard_normal((n, 3, k))
    return np.asarray(start[:, np.newaxis] + rise[:, np.newaxis, of_region] * -np.expm1(-lost) + noise)


def _area(true_volume: Floats, device: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Measured area of the regions (mm2) at the slice of the largest, shape (n, 3, 4)."""
    regions = [region["value"] for region in constant("mri.region")]
    n = len(true_volume)
    length = np.array([region["length_mm"] for region in regions])
    length = length * np.exp(constant("mri.scan")["length_log_sd"] * rng.standard_normal((n, len(regions))))
    slipped = np.array([region["slice_log_sd"] for region in regions])
    error = _region_noise(n, rng) + slipped * rng.standard_normal((n, 3, len(regions)))
    error = error + np.asarray(constant("mri.device")["volume_log"])[device][..., np.newaxis]
    return np.asarray(np.round(true_volume * 1000 / length[:, np.newaxis] * np.exp(error), 2))


def _t2(
    patient: npt.NDArray[np.bool_],
    relative_loss: Floats,
    day: Floats,
    device: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Floats:
    """Measured muscle T2 of the regions (ms), shape (n, 3, 4)."""
    t2 = constant("mri.t2")
    n, _, k = relative_loss.shape
    start = t2["control_ms"] + t2["als_excess_ms"] * patient[:, np.newaxis]
    start = start + t2["person_sd_ms"] * rng.standard_normal((n, k))
    drift = patient[:, np.newaxis] * t2["rise_sd_ms"] * rng.standard_normal((n, k))
    value = start[:, np.newaxis] + drift[:, np.newaxis] * (day / DAYS_PER_YEAR)[..., np.newaxis]
    value = value + t2["rise_ms_per_loss"] * relative_loss
    value = value + constant("mri.scan")["t2_ms"] * rng.standard_normal((n, 3, k))
    value = value + np.asarray(constant("mri.device")["t2_ms"])[device][..., np.newaxis]
    return np.asarray(np.round(value, 2))


def _alsfrs_r(
    people: People, patient: npt.NDArray[np.bool_], day: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The score without error and the recorded one (NaN in controls), shape (n, 3)."""
    months = people.duration_months[:, np.newaxis] + day / DAYS_PER_MONTH
    score = 48 - lost_points(people, months)
    noise = constant("mri.alsfrs_r_noise") * rng.standard_normal(day.shape)
    shown = np.clip(np.round(score + noise), 0, 48)
    return np.clip(score, 0, 48), np.where(patient[:, np.newaxis], shown, np.nan)


def _seen(score: Floats, patient: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Visits that took place, shape (n, 3); who has left does not return."""
    leave = constant("mri.dropout")
    fallen = -np.diff(score, axis=1)
    chance = expit(leave["logit"] + leave["per_point"] * (fallen - leave["usual_points"]))
    stays = (rng.random(fallen.shape) >= chance) | ~patient[:, np.newaxis]
    return np.column_stack([np.ones(len(score), dtype=np.bool_), np.logical_and.accumulate(stays, axis=1)])


def _strength(
    people: People,
    patient: npt.NDArray[np.bool_],
    day: Floats,
    drawn: tuple[Floats, Floats],
    rng: np.random.Generator,
) -> Floats:
    """Measured strength (N), NaN where not measured, shape (n, 3, 3)."""
    loss, size = drawn
    share, before = constant("mri.body_size_correlation"), constant("mri.baseline_loss")
    years = day / DAYS_PER_YEAR
    columns = []
    for record in constant("mri.strength"):
        value, region = record["value"], region_sites().index(record["region"])
        score = np.sqrt(share) * size + np.sqrt(1 - share) * rng.standard_normal(len(size))
        start = np.log(value["median_n"]) + value["log_sd"] * score - value["gain"] * before["mean"] * patient
        start = start + np.where(people.male, 0.0, np.log(value["female_ratio"]))
        rate = value["gain"] * loss[:, region] + patient * value["own_rate_sd"] * rng.standard_normal(
            len(size)
        )
        log_force = start[:, np.newaxis] - rate[:, np.newaxis] * years
        log_force = log_force + value["visit_log_sd"] * rng.standard_normal(day.shape)
        force = np.round(np.exp(log_force), 1)
        columns.append(np.where(rng.random(day.shape) < constant("mri.missing_strength"), np.nan, force))
    return np.stack(columns, axis=2)
