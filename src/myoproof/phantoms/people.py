"""The person behind a simulated patient: age, sex, body, onset, delay and rate of decline."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri
from scipy.stats import gamma

from myoproof.phantoms.constants import constant

Floats = npt.NDArray[np.float64]
DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class People:
    """Simulated people, one entry a person in every array, shape (n,).

    Parameters
    ----------
    age_years : float64
        Age at baseline.
    male, bulbar : bool
        Sex; onset in the bulbar region (else in a limb).
    body_mass_index : float64
        kg / m2.
    duration_months : float64
        From onset to baseline.
    rate_points_per_month : float64
        Loss of ALSFRS-R points a month at onset.
    """

    age_years: Floats
    male: npt.NDArray[np.bool_]
    bulbar: npt.NDArray[np.bool_]
    body_mass_index: Floats
    duration_months: Floats
    rate_points_per_month: Floats

    @property
    def onset_day(self) -> Floats:
        """Day of onset, baseline being day 0; whole days, negative."""
        return -np.round(self.duration_months * DAYS_PER_MONTH)


def draw_people(
    n: int,
    *,
    rng: np.random.Generator,
    long_duration: Floats | None = None,
    fast: Floats | None = None,
) -> People:
    """Draw people of an ALS clinic.

    Parameters
    ----------
    n : int
        How many.
    rng : Generator
        The only source of randomness.
    long_duration : ndarray, shape (n,), optional
        Standardised values that the log of the diagnostic delay is to follow with correlation
        ``ultrasound.severity_log_duration_correlation``, for example a severity.
    fast : ndarray, shape (n,), optional
        Standard normal scores of the rate of decline; drawn here where absent.

    Returns
    -------
    People
        Fast progressors have shorter delays (``person.delay_rate_correlation``).

    Examples
    --------
    >>> draw_people(2, rng=np.random.default_rng(1)).age_years.round(1).tolist()
    [62.7, 81.6]
    """
    onset_age = truncated_normal(n, "person.onset_age_years", rng=rng)
    male = rng.random(n) < constant("person.male_share")
    bulbar = rng.random(n) < constant("person.bulbar_share")
    body = truncated_normal(n, "person.body_mass_index", rng=rng)
    speed = rng.standard_normal(n) if fast is None else fast
    own = rng.standard_normal(n)
    follow = constant("person.delay_rate_correlation")
    slow = follow * speed + np.sqrt(1 - follow**2) * own
    if long_duration is not None:
        share = constant("ultrasound.severity_log_duration_correlation")
        slow = share * long_duration + np.sqrt(1 - share**2) * slow
    delay = constant("person.diagnostic_delay_months")
    months = np.clip(np.exp(np.log(delay["median"]) + delay["log_sd"] * slow), 1.0, 240.0)
    months = months + rng.exponential(constant("person.after_diagnosis_months"), n)
    rate = constant("person.rate_points_per_month")
    return People(
        age_years=np.round(onset_age + months / 12, 1),
        male=male,
        bulbar=bulbar,
        body_mass_index=np.round(body, 1),
        duration_months=months,
        rate_points_per_month=np.asarray(
            gamma.ppf(ndtr(speed), rate["shape"], scale=rate["mean"] / rate["shape"]), dtype=np.float64
        ),
    )


def truncated_normal(n: int, name: str, *, rng: np.random.Generator) -> Floats:
    """Normal values cut at both ends; ``name`` is a constant with mean, sd, low and high."""
    shape = constant(name)
    low, high = ndtr([(shape[end] - shape["mean"]) / shape["sd"] for end in ("low", "high")])
    return np.asarray(shape["mean"] + shape["sd"] * ndtri(low + (high - low) * rng.random(n)))


def lost_points(people: People, months: Floats) -> Floats:
    """ALSFRS-R points lost some months after onset: the rate, decelerating, summed from onset.

    Parameters
    ----------
    people : People
        n people.
    months : ndarray, shape (n,) or (n, k)
        Time since onset.

    References
    ----------
    PRECISION-ALS (van Eijk 2025) for the mean rate and the deceleration.
    """
    scale = constant("person.rate_deceleration_months")
    rate = people.rate_points_per_month.reshape(-1, *[1] * (months.ndim - 1))
    return np.asarray(rate * scale * -np.expm1(-months / scale))


def enrolled_in_time(people: People, most_points: float) -> People:
    """The same people, seen before they have lost more than some points; those further on are seen earlier.

    Parameters
    ----------
    people : People
        As drawn.
    most_points : float
        ALSFRS-R points lost at baseline at most.
    """
    scale = constant("person.rate_deceleration_months")
    reachable = people.rate_points_per_month * scale
    share = np.minimum(most_points / reachable, 1 - 1e-9)
    months = np.minimum(people.duration_months, np.maximum(-scale * np.log1p(-share), 1.0))
    earlier = (people.duration_months - months) / 12
    return replace(people, duration_months=months, age_years=np.round(people.age_years - earlier, 1))


def subject_names(n: int, prefix: str) -> list[str]:
    """Pseudonyms of one width, so that they sort as they count.

    Examples
    --------
    >>> subject_names(2, "als")
    ['als-001', 'als-002']
    """
    return [f"{prefix}-{number:03d}" for number in range(1, n + 1)]


def subjects_frame(people: People, names: list[str], centre: list[str], *, patients: bool) -> pd.DataFrame:
    """Rows of the subjects table; controls have no onset."""
    n = len(names)
    return pd.DataFrame(
        {
            "subject": names,
            "sex": np.where(people.male, "male", "female"),
            "age_years": people.age_years,
            "diagnosis": "ALS" if patients else "healthy",
            "onset_day": people.onset_day if patients else np.full(n, np.nan),
            "onset_site": np.where(people.bulbar, "bulbar", "limb") if patients else "",
            "centre": centre,
            "arm": "als" if patients else "control",
        }
    )
