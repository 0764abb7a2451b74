"""The model of the ultrasound cohort: severity, in classes or on a continuum, and its features."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from myoproof.errors import InvalidInput
from myoproof.phantoms.constants import constant
from myoproof.phantoms.people import Floats, People, draw_people

ANALYSED = 30
"""The first features; the rest are scanned in few centres and more than 20 % missing."""
Shape = Literal["gaussian", "gamma", "lognormal", "ceiling"]
SHAPES: tuple[Shape, ...] = ("gaussian", "gamma", "lognormal", "ceiling")


@dataclass(frozen=True, slots=True)
class UltrasoundParams:
    """What is simulated.

    Parameters
    ----------
    preset : {"two-classes", "continuum"}
        Two true classes, mild and severe, in the published ratio; or one severity factor and no class.
    separation : float
        Two classes only: distance of the class means in within-class SD of the severity factor.
    shape : {"gaussian", "gamma", "lognormal", "ceiling"}
        Continuum only: the distribution of severity (skew 0, 1, 2.6 towards the severe end), or Gaussian
        severity seen through measurements with floor and ceiling on more than a quarter of their values.
    n : int
        Patients.

    Raises
    ------
    InvalidInput
        If a word is unknown or a number is out of its domain.
    """

    preset: Literal["two-classes", "continuum"] = "two-classes"
    separation: float = 3.0
    shape: Shape = "gaussian"
    n: int = 454

    def __post_init__(self) -> None:
        if self.preset not in ("two-classes", "continuum"):
            raise InvalidInput(f"no preset {self.preset!r}", mend="use two-classes or continuum")
        if self.shape not in SHAPES:
            raise InvalidInput(f"no shape {self.shape!r}", mend=f"use one of {', '.join(SHAPES)}")
        if self.n < 2 or not self.separation >= 0:
            raise InvalidInput(
                f"n = {self.n}, separation = {self.separation}", mend="n >= 2, separation >= 0"
            )


TWO_CLASSES = UltrasoundParams()
"""The default: 288 mild and 166 severe patients."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One simulated cohort as arrays, a patient a row.

    Parameters
    ----------
    people : People
        Age, sex, body, onset.
    sides : ndarray, shape (n, 32, 2)
        Left and right value of every feature, in its own unit, nothing missing.
    missing : ndarray of bool, shape (n, 32)
        Features that were not measured (both sides).
    alsfrs_r, manual_muscle_testing : ndarray, shape (n,)
        Integer scores, higher is better.
    cmap_mv : ndarray, shape (n, 3)
        CMAP amplitudes.
    centre, device : ndarray of int, shape (n,)
        Codes from 0.
    severity : ndarray, shape (n,)
        True severity, mean 0 and variance 1 in the population, higher is worse.
    severe : ndarray of bool, shape (n,)
        True class; all False in the continuum.
    """

    people: People
    sides: Floats
    missing: npt.NDArray[np.bool_]
    alsfrs_r: Floats
    manual_muscle_testing: Floats
    cmap_mv: Floats
    centre: npt.NDArray[np.int64]
    device: npt.NDArray[np.int64]
    severity: Floats
    severe: npt.NDArray[np.bool_]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the 32 features, ``measure/site/mean``, in the order of the columns."""
        return tuple(f"{measure}/{site}/mean" for measure, site in zip(*feature_sites(), strict=True))

    @property
    def complete_features(self) -> Floats:
        """Means of the sides, nothing missing, shape (n, 32)."""
        return np.asarray(self.sides.mean(axis=2))

    @property
    def features(self) -> Floats:
        """Means of the sides, NaN where missing, shape (n, 32)."""
        return np.where(self.missing, np.nan, self.complete_features)

    @property
    def analysed(self) -> Floats:
        """The 30 features that less than a fifth of the patients lack, shape (n, 30)."""
        return self.features[:, :ANALYSED]

    @property
    def covariate_names(self) -> tuple[str, ...]:
        """Names of the columns of :attr:`covariates`."""
        dummies = [f"centre-{code + 1}" for code in range(1, len(constant("ultrasound.centre_shares")))]
        return ("age_years", "male", "body_mass_index", "onset_day", "limb", *dummies)

    @property
    def covariates(self) -> Floats:
        """Age, sex, BMI, onset day, onset site and centre as columns for least squares, no intercept."""
        people = self.people
        centres = np.arange(1, len(constant("ultrasound.centre_shares")))
        columns = [people.age_years, people.male, people.body_mass_index, people.onset_day, ~people.bulbar]
        dummies = self.centre[:, np.newaxis] == centres
        return np.column_stack([*columns, dummies]).astype(np.float64)


def draw(n: int = 0, *, rng: np.random.Generator, params: UltrasoundParams = TWO_CLASSES) -> Draw:
    """Draw a cohort as arrays; :func:`cohort` makes rows of the same draw.

    Every feature is ``loading x severity`` plus what is its own, with small shifts by age, sex, body mass
    index, reader and device; so the presets differ in the distribution of severity alone.

    Parameters
    ----------
    n : int
        Patients; 0 takes ``params.n``.
    rng : Generator
        The only source of randomness.
    params : UltrasoundParams
        What is simulated.

    References
    ----------
    Wang 2026, J Neurol, 10.1007/s00415-026-13705-4 (size of the clusters and the coefficient of ALSFRS-R).

    Examples
    --------
    >>> one = draw(100, rng=np.random.default_rng(1))
    >>> one.features.shape, int(one.severe.sum())
    ((100, 32), 37)
    """
    n = n or params.n
    severe, severity = _severity(n, params, rng)
    people = draw_people(n, rng=rng, long_duration=severity)
    shares = constant("ultrasound.centre_shares")
    centre = rng.choice(len(shares), size=n, p=shares)
    device = np.asarray(constant("ultrasound.centre_device"))[centre]
    worse = _worse(severity, people, centre, rng)
    sides = _sides(worse, device, params, rng)
    missing = _missing(severity, centre, rng)
    return Draw(
        people=people,
        sides=sides,
        missing=missing,
        alsfrs_r=_alsfrs_r(severity, people, centre, rng),
        manual_muscle_testing=_manual_muscle_testing(severity, rng),
        cmap_mv=_cmap(severity, rng),
        centre=centre,
        device=device,
        severity=severity,
        severe=severe,
    )


def feature_sites() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Measure and site of the 32 features, in the order of the columns."""
    return _layout().names


@dataclass(frozen=True, slots=True)
class _Layout:
    names: tuple[tuple[str, ...], tuple[str, ...]]
    mean: Floats
    sd: Floats
    loading: Floats
    sign: Floats
    pair: npt.NDArray[np.int64]
    block: tuple[str, ...]


@cache
def _layout() -> _Layout:
    muscles = constant("ultrasound.muscle")
    kept = [muscle for muscle in muscles if muscle["block"] != "sparse"]
    sparse = [muscle for muscle in muscles if muscle["block"] == "sparse"]
    rows = _muscle_rows("thickness", "thickness", kept, 0) + _muscle_rows(
        "echogenicity", "echogenicity", kept, 0
    )
    rows += [
        (
            "nerve_cross_sectional_area",
            nerve["site"],
            *nerve["value"]["area"],
            nerve["value"]["loading"],
            -1,
            -1,
            "nerve",
        )
        for nerve in constant("ultrasound.nerve")
    ]
    rows += _muscle_rows("thickness", "thickness", sparse, len(kept))
    rows += _muscle_rows("echogenicity", "echogenicity", sparse, len(kept))
    measure, site, mean, sd, loading, sign, pair, block = zip(*rows, strict=True)
    return _Layout(
        (measure, site),
        np.array(mean),
        np.array(sd),
        np.array(loading),
        np.array(sign, dtype=np.float64),
        np.array(pair, dtype=np.int64),
        block,
    )


def _muscle_rows(measure: str, key: str, muscles: list[dict[str, Any]], first: int) -> list[tuple[Any, ...]]:
    sign = 1 if measure == "echogenicity" else -1
    return [
        (
            measure,
            muscle["site"],
            *muscle["value"][key],
            muscle["value"][f"{key}_loading"],
            sign,
            first + i,
            muscle["block"],
        )
        for i, muscle in enumerate(muscles)
    ]


def _severity(
    n: int, params: UltrasoundParams, rng: np.random.Generator
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """True class and severity with mean 0 and variance 1 in the population."""
    z = rng.standard_normal(n)
    if params.preset == "two-classes":
        sizes = constant("ultrasound.subjects")
        share = sizes["severe"] / (sizes["mild"] + sizes["severe"])
        severe = rng.permutation(n) < round(n * share)
        within = z + params.separation * (severe - share)
        return severe, within / np.sqrt(1 + share * (1 - share) * params.separation**2)
    none = np.zeros(n, dtype=np.bool_)
    if params.shape == "gamma":
        shape = constant("ultrasound.gamma_shape")
        return none, (rng.standard_gamma(shape, n) - shape) / np.sqrt(shape)
    if params.shape == "lognormal":
        variance = constant("ultrasound.lognormal_sigma") ** 2
        return none, (np.exp(np.sqrt(variance) * z) - np.exp(variance / 2)) / np.sqrt(
            np.expm1(variance) * np.exp(variance)
        )
    return none, z


def _worse(
    severity: Floats, people: People, centre: npt.NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Standardised features before the device, shape (n, 32), higher is worse."""
    layout = _layout()
    n = len(severity)
    shared = constant("ultrasound.pair_correlation")
    pairs = rng.standard_normal((n, int(layout.pair.max()) + 1))
    own = rng.standard_normal((n, len(layout.mean)))
    paired = layout.pair >= 0
    own[:, paired] *= np.sqrt(1 - shared)
    own[:, paired] += np.sqrt(shared) * pairs[:, layout.pair[paired]]
    effects = constant("ultrasound.covariate_effects")
    muscle = paired.astype(np.float64)
    thickness = muscle * (layout.sign < 0)
    body = constant("person.body_mass_index")
    bulk = (
        effects["male"] * people.male
        + effects["body_mass_index"] * (people.body_mass_index - body["mean"]) / body["sd"]
        + np.asarray(constant("ultrasound.centre_thickness_shift"))[centre]
    )
    worse = severity[:, np.newaxis] * layout.loading + own * np.sqrt(1 - layout.loading**2)
    worse -= effects["age"] * _age_score(people)[:, np.newaxis] * muscle
    worse -= bulk[:, np.newaxis] * thickness
    return np.asarray(worse)


def _sides(
    worse: Floats, device: npt.NDArray[np.int64], params: UltrasoundParams, rng: np.random.Generator
) -> Floats:
    """Left and right values in their units, shape (n, 32, 2)."""
    layout = _layout()
    gain = np.asarray(constant("ultrasound.device_gain_grey"))[device]
    worse = worse + gain[:, np.newaxis] * (layout.sign > 0) / layout.sd
    half = constant("ultrasound.asymmetry") * rng.standard_normal(worse.shape)
    if params.preset == "continuum" and params.shape == "ceiling":
        shares = constant("ultrasound.bounds")
        low, high = ndtri(shares["mild_share"]), ndtri(1 - shares["severe_share"])
        worse = np.clip(worse, low, high)
        room = np.minimum(worse - low, high - worse)
        half = np.clip(half, -room, room)
    both = worse[..., np.newaxis] + np.stack([-half, half], axis=2)
    values = layout.mean[:, np.newaxis] + (layout.sign * layout.sd)[:, np.newaxis] * both
    floor = constant("ultrasound.floor_fraction") * layout.mean[:, np.newaxis]
    return np.asarray(np.round(np.clip(values, floor, 255.0), 1))


def _missing(
    severity: Floats, centre: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Which features are missing: whole blocks, single images, and where a centre does not scan a muscle."""
    layout = _layout()
    rates = constant("ultrasound.missing")
    missing = rng.random((len(severity), len(layout.mean))) < rates["image"]
    for block in ("neck", "arm", "leg", "nerve"):
        odds = rates[block] / (1 - rates[block]) * np.exp(rates["severity_log_odds"] * severity)
        lost = rng.random(len(severity)) < odds / (1 + odds)
        missing |= lost[:, np.newaxis] & (np.array(layout.block) == block)
    elsewhere = ~np.isin(centre, constant("ultrasound.sparse_centres"))
    missing |= elsewhere[:, np.newaxis] & (np.array(layout.block) == "sparse")
    return np.asarray(missing)


def _alsfrs_r(
    severity: Floats, people: People, centre: npt.NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    loss = constant("ultrasound.alsfrs_r_loss")
    delay = constant("person.diagnostic_delay_months")
    usual = np.log(delay["median"] + constant("person.after_diagnosis_months"))
    points = (
        loss["mean"]
        + constant("ultrasound.alsfrs_r_per_severity") * severity
        + loss["log_duration"] * (np.log(people.duration_months) - usual) / delay["log_sd"]
        + loss["age"] * _age_score(people)
        + loss["bulbar"] * people.bulbar
        - np.asarray(constant("ultrasound.centre_alsfrs_r_shift"))[centre]
        + loss["residual_sd"] * _skewed(len(severity), loss["gamma_shape"], rng)
    )
    return np.asarray(np.clip(np.round(48 - points), 0, 48))


def _manual_muscle_testing(severity: Floats, rng: np.random.Generator) -> Floats:
    score = constant("ultrasound.manual_muscle_testing")
    own = np.sqrt(1 - score["loading"] ** 2) * _skewed(len(severity), score["gamma_shape"], rng)
    loss = score["mean_loss"] + score["sd"] * (score["loading"] * severity + own)
    return np.asarray(np.clip(np.round(score["top"] - loss), 0, score["top"]))


def _cmap(severity: Floats, rng: np.random.Generator) -> Floats:
    columns = []
    for record in constant("ultrasound.cmap"):
        value = record["value"]
        own = np.sqrt(1 - value["loading"] ** 2) * rng.standard_normal(len(severity))
        score = -value["loading"] * severity + own
        columns.append(np.round(value["median"] * np.exp(value["log_sd"] * score), 2))
    return np.column_stack(columns)


def _age_score(people: People) -> Floats:
    onset = constant("person.onset_age_years")
    return np.asarray((people.age_years - onset["mean"]) / onset["sd"])


def _skewed(n: int, shape: float, rng: np.random.Generator) -> Floats:
    """Gamma values with mean 0 and variance 1: a long tail of heavy losses."""
    return np.asarray((rng.standard_gamma(shape, n) - shape) / np.sqrt(shape))
