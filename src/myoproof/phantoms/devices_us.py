"""Simulated echogenicity on two devices: a clinic's patients, people scanned twice, norms, a phantom."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.errors import InvalidInput

Floats = npt.NDArray[np.float64]
MUSCLES: dict[str, tuple[float, float]] = {
    "biceps_brachii": (51.5, 7.04),
    "tibialis_anterior": (61.5, 8.89),
    "sternocleidomastoid": (49.5, 4.49),
    "forearm_flexors": (54.5, 6.5),
    "rectus_femoris": (52.5, 7.0),
    "vastus_lateralis": (55.5, 7.0),
    "medial_gastrocnemius": (56.5, 7.5),
    "deltoid": (52.5, 6.0),
    "trapezius": (58.5, 7.0),
    "masseter": (50.5, 5.5),
}
"""Muscle -> mean grey level of healthy adults and residual SD of the norm on device-a. The SDs of the first
three are those of a published norm (CreateRandom/muscle-ultrasound, MUS_EI_models.json), as is the range 4.5
to 9; the rest, and the means, are proposals such that the clinic's images have the published brightness."""
AGE_SLOPE = 0.25
"""Grey levels a year of age (proposal)."""
BRIGHTNESS = {"device-a": 0.233, "device-b": 0.169, "device-c": 0.231}
"""Mean brightness of images in the same source: Esaote 6100, Philips iU22, GE LOGIQ E."""
PHANTOM_DB = (-12.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 12.0)
"""Targets of the simulated phantom (proposal, as makers offer)."""


@dataclass(frozen=True, slots=True)
class DeviceShift:
    """What is simulated.

    Parameters
    ----------
    slope : float
        Grey levels of device-b a grey level of device-a; the offset follows from the published brightness.
    muscle_sd : float
        SD over muscles of what device-b adds to each beyond the line, grey levels (proposal).
    quirk_share, error_share : float
        Shares of a norm's residual variance: what each device shows of a person's muscle of its own, and what
        comes from placing the probe anew. Tuned so that R2 of travelling pairs is about 0.476.
    affected : float
        Share of the patients whose muscles are brighter; with ``severity`` tuned so that on device-a the AUC
        of the mean z is about 0.79 and that of the clinic's rule about 0.77, as published.
    severity : float
        Mean shift of an affected muscle in residual SD; six in ten muscles of an affected patient (proposal).
    symptomatic : float
        Mean shift of the clinic's controls, who came with complaints, in residual SD (proposal).
    subjects : mapping of str to (int, int)
        Device -> patients and symptomatic controls of the clinic (published: 117 of 230, 62 of 120).
    travelling, repeats : int
        People scanned on both devices, a third of them ill (published: about 480 pairs of muscles), and how
        often on each.
    norm_subjects : int
        Healthy people for norms on device-a.
    measured : float
        Share of the muscles that a clinic patient has measured.

    Raises
    ------
    InvalidInput
        If a number is out of its domain.
    """

    slope: float = 0.80
    muscle_sd: float = 1.0
    quirk_share: float = 0.38
    error_share: float = 0.57
    affected: float = 0.76
    severity: float = 2.8
    symptomatic: float = 0.15
    subjects: dict[str, tuple[int, int]] = field(
        default_factory=lambda: {"device-a": (117, 113), "device-b": (62, 58)}
    )
    travelling: int = 48
    repeats: int = 2
    norm_subjects: int = 150
    measured: float = 0.8

    def __post_init__(self) -> None:
        shares = 0 < self.error_share + self.quirk_share < 1 and 0 < self.measured <= 1
        if not (self.slope > 0 and self.muscle_sd >= 0 and shares):
            raise InvalidInput("a device shift out of its domain", mend="slope > 0, shares between 0 and 1")

    @property
    def offset(self) -> float:
        """Grey levels of device-b where device-a shows black."""
        return 255 * (BRIGHTNESS["device-b"] - self.slope * BRIGHTNESS["device-a"])


DEFAULTS = DeviceShift()


@dataclass(frozen=True, slots=True)
class Simulated:
    """The tables of :func:`cohort`, and the truth apart.

    Parameters
    ----------
    cohort : Cohort
        Arms ``als`` and ``control`` (the clinic), analysis sets ``clinic``, ``travelling`` and ``norm``.
    truth : DataFrame
        ``subject``, ``site``, ``true_a`` and ``true_b`` (grey levels without error), ``twin`` (what device-a
        would have measured, with an error of its own), for everybody.
    muscle_offset : dict of str to float
        What device-b adds to a muscle beyond the line.
    """

    cohort: Cohort
    truth: pd.DataFrame
    muscle_offset: dict[str, float]


def simulate(*, rng: np.random.Generator, params: DeviceShift = DEFAULTS) -> Simulated:
    """Echogenicity of a clinic with two devices, of travelling patients, and of healthy people on device-a.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    params : DeviceShift
        What is simulated.

    Returns
    -------
    Simulated

    References
    ----------
    Brightness, residual SD, numbers of patients, AUC and R2 = 0.476 of travelling pairs: predictions and
    models stored in CreateRandom/muscle-ultrasound (GitHub).
    """
    people = _people(params, rng)
    sites = list(MUSCLES)
    mean, sd = (np.array([MUSCLES[site][k] for site in sites]) for k in range(2))
    ill = (people["arm"] == "als").to_numpy()
    bright = (ill & (rng.random(len(ill)) < params.affected))[:, None] & (
        rng.random((len(ill), len(sites))) < 0.6
    )
    severity = bright * params.severity * rng.gamma(2.5, 1 / 2.5, len(people))[:, None]
    complaint = (people["diagnosis"] == "symptomatic control").to_numpy() * params.symptomatic
    severity = severity + (complaint * rng.gamma(1.0, 1.0, len(people)))[:, None]
    shared = rng.normal(0, 0.45, len(people))[:, None]
    own = rng.normal(0, np.sqrt(1 - 0.45**2), (len(people), len(sites)))
    quirk = sd * np.sqrt(params.quirk_share)
    true_sd = sd * np.sqrt(1 - params.error_share - params.quirk_share)
    shown = mean + AGE_SLOPE * (people["age_years"].to_numpy()[:, None] - 50) + (shared + own) * true_sd
    shown = shown + severity * sd
    true_a = np.clip(shown + rng.normal(size=shown.shape) * quirk, 5, 250)
    extra = rng.normal(0, params.muscle_sd, len(sites))
    moved = params.offset + params.slope * (shown + rng.normal(size=shown.shape) * quirk)
    true_b = np.clip(moved + extra - extra.mean(), 0, 255)
    error = sd * np.sqrt(params.error_share)
    scale = {"device-a": (true_a, 1.0), "device-b": (true_b, params.slope)}
    twin = true_a + rng.normal(size=true_a.shape) * error
    clinic = (people["analysis_sets"] == "clinic").to_numpy()[:, None]
    held = rng.random(true_a.shape) < np.where(clinic, params.measured, 1.0)
    tables = [
        _tables(
            people, sites, np.clip(true + rng.normal(size=true.shape) * error * factor, 0, 255), held, run
        )
        for device, (true, factor) in scale.items()
        for run in [(device, repeat) for repeat in range(1, params.repeats + 1)]
    ]
    names = people["subject"].to_numpy()
    truth = pd.DataFrame(
        {
            "subject": np.repeat(names, len(sites)),
            "site": np.tile(sites, len(names)),
            "true_a": true_a.ravel(),
            "true_b": true_b.ravel(),
            "twin": twin.ravel(),
        }
    )
    visits, rows = (pd.concat([table[k] for table in tables], ignore_index=True) for k in range(2))
    made = make_cohort(people.drop(columns="device"), visits, rows)
    return Simulated(made, truth, dict(zip(sites, (extra - extra.mean()).tolist(), strict=True)))


def cohort(*, rng: np.random.Generator, params: DeviceShift = DEFAULTS) -> Cohort:
    """The tables of :func:`simulate` alone.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    params : DeviceShift
        What is simulated.

    Returns
    -------
    Cohort
        Echogenicity (grey) of ten muscles; people of the set ``travelling`` have a row on each device (runs).

    Examples
    --------
    >>> made = cohort(rng=np.random.default_rng(0))
    >>> made.subjects["analysis_sets"].value_counts().to_dict()
    {'clinic': 350, 'norm': 150, 'travelling': 48}
    """
    return simulate(rng=rng, params=params).cohort


def phantom_targets(
    *, rng: np.random.Generator, params: DeviceShift = DEFAULTS, grey_se: float = 0.6
) -> pd.DataFrame:
    """A phantom's targets on both devices: ``device``, ``db``, ``grey``, ``grey_se``.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    params : DeviceShift
        Line between the devices; a phantom has no muscles, so that ``muscle_sd`` is not in it.
    grey_se : float
        SD of the mean grey level of a target over captures.

    Returns
    -------
    DataFrame
    """
    grey_a = 255 * BRIGHTNESS["device-a"] + np.array(PHANTOM_DB) * 255 / 60
    both = {"device-a": grey_a, "device-b": params.offset + params.slope * grey_a}
    rows = [
        {"device": device, "db": db, "grey": float(grey + rng.normal() * grey_se), "grey_se": grey_se}
        for device, levels in both.items()
        for db, grey in zip(PHANTOM_DB, levels, strict=True)
    ]
    return pd.DataFrame(rows)


def _people(params: DeviceShift, rng: np.random.Generator) -> pd.DataFrame:
    parts = [("clinic", device, counts) for device, counts in params.subjects.items()]
    parts += [
        ("travelling", "", (params.travelling // 3, params.travelling - params.travelling // 3)),
        ("norm", "device-a", (0, params.norm_subjects)),
    ]
    rows = [
        {"analysis_sets": group, "device": device, "arm": arm}
        for group, device, counts in parts
        for arm, n in zip(("als", "control"), counts, strict=True)
        for _ in range(n)
    ]
    frame = pd.DataFrame(rows)
    n = len(frame)
    return frame.assign(
        subject=[f"us-{k:04d}" for k in range(n)],
        age_years=rng.uniform(20, 80, n).round(1),
        sex=np.where(rng.random(n) < 0.5, "female", "male"),
        diagnosis=np.where(frame["arm"] == "als", "neuromuscular disease", np.where(
            frame["analysis_sets"] == "norm", "healthy", "symptomatic control")),
    )  # fmt: skip


def _tables(
    people: pd.DataFrame, sites: list[str], values: Floats, held: npt.NDArray[np.bool_], run: tuple[str, int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Acquisitions and rows of one run on one device; all but travelling people have the first run alone."""
    device, repeat = run
    own = (people["device"] == device).to_numpy() & (repeat == 1)
    scanned = own | (people["device"] == "").to_numpy()
    names = people["subject"].to_numpy()[scanned]
    runs = np.where(people["device"].to_numpy()[scanned] == "", f"{device}-{repeat}", "")
    visits = pd.DataFrame(
        {"subject": names, "session": "m00", "run": runs, "modality": "ultrasound", "day": 0.0}
    ).assign(device=device, preset="muscle", protocol="transverse")
    rows = pd.DataFrame(
        {
            "subject": np.repeat(names, len(sites)),
            "session": "m00",
            "run": np.repeat(runs, len(sites)),
            "modality": "ultrasound",
            "site": np.tile(sites, len(names)),
            "side": "right",
            "measure": "echogenicity",
            "method": "echogenicity:whole",
            "rater": "simulated",
            "value": values[scanned].ravel().round(2),
            "flags": "simulated",
        }
    )
    return visits, rows[held[scanned].ravel()]
