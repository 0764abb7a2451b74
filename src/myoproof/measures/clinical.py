"""Clinical scores from items: ALSFRS-R totals and subscores, King's and MiToS stages, rate, ENCALS."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.core.table import KEY, Table, from_rows
from myoproof.errors import OutOfDomain
from myoproof.numerics import alsfrs, encals

METHOD = "clinical"
METHOD_VERSION = 1
DAYS_PER_MONTH = 365.25 / 12
ITEM_WORDS = tuple(f"alsfrs_r_{name}" for name in alsfrs.ITEMS)
OLD_ITEM = "alsfrs_respiratory"
REVISED_WORDS = (
    "alsfrs_r", *(f"alsfrs_r_{name}" for name in alsfrs.SUBSCORES), "kings_stage", "mitos_stage",
    "alsfrs_r_rate",
)  # fmt: skip
"""Scores of a visit with ALSFRS-R; ``alsfrs`` is the score of one with the ten-item scale."""
FLAGS = {"definite": "definite_el_escorial", "dementia": "frontotemporal_dementia", "c9orf72": "c9orf72"}
"""Predictor -> column of the covariates (1 yes, 0 no)."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Params:
    """Settings where public implementations differ.

    Parameters
    ----------
    kings_without_region : {0, 1}
        King's stage of a patient in whom no region is affected.
    communication : {"and", "or"}
        MiToS: communication is lost where speech and handwriting are lost (Chio 2015), or one of them.
    shortest_months : float
        Below this time since onset there is no progression rate.
    """

    kings_without_region: int = 1
    communication: str = "and"
    shortest_months: float = 1.0

    def __post_init__(self) -> None:
        if self.kings_without_region not in (0, 1) or self.communication not in ("and", "or"):
            raise OutOfDomain("kings_without_region is 0 or 1, and communication 'and' or 'or'")


@dataclass(frozen=True, slots=True)
class Visits:
    """What was scored at n visits.

    Parameters
    ----------
    items : ndarray, shape (n, 12)
        ALSFRS-R items, NaN missing.
    respiratory : ndarray, shape (n,)
        Item 10 of the ten-item scale, NaN where that scale was not used.
    gastrostomy : ndarray of bool, shape (n,)
    months : ndarray, shape (n,)
        Since onset, NaN unknown.
    """

    items: Floats
    respiratory: Floats
    gastrostomy: npt.NDArray[np.bool_]
    months: Floats


def scores(visits: Visits, params: Params = Params()) -> dict[str, Floats]:
    """Every score of some visits, by its word; NaN where it cannot be told.

    Parameters
    ----------
    visits : Visits
        n visits.
    params : Params
        Settings.

    Examples
    --------
    >>> one = Visits(np.full((1, 12), 4.0), np.array([np.nan]), np.array([False]), np.array([10.0]))
    >>> float(scores(one)["alsfrs_r"][0]), float(scores(one)["kings_stage"][0])
    (48.0, 1.0)
    """
    total = alsfrs.total(visits.items)
    found = {"alsfrs_r": total, "alsfrs": alsfrs.ten_item_total(visits.items, visits.respiratory)}
    found |= {f"alsfrs_r_{name}": values for name, values in alsfrs.subscores(visits.items).items()}
    found["kings_stage"] = alsfrs.kings(
        visits.items, visits.gastrostomy, without_region=params.kings_without_region
    )
    found["mitos_stage"] = alsfrs.mitos(visits.items, communication=params.communication)
    rate = alsfrs.progression_rate(total, visits.months, shortest_months=params.shortest_months)
    found["alsfrs_r_rate"] = rate
    return found


def disagreements(visits: Visits) -> dict[str, npt.NDArray[np.bool_]]:
    """Which visits change their stage with the settings public implementations disagree on.

    Parameters
    ----------
    visits : Visits
        n visits.

    Returns
    -------
    dict
        ``kings_without_region`` and ``communication`` -> bool, shape (n,).
    """
    zero = alsfrs.kings(visits.items, visits.gastrostomy, without_region=0) == 0
    one, other = (alsfrs.mitos(visits.items, communication=way) for way in ("and", "or"))
    return {"kings_without_region": zero, "communication": ~np.isnan(one) & ~np.isnan(other) & (one != other)}


def derive(rows: Table, cohort: Cohort | None = None, *, params: Params = Params()) -> Table:
    """Scores from the rows of single items.

    Parameters
    ----------
    rows : Table
        Rows of ``alsfrs_r_speech`` to ``alsfrs_r_respiratory_insufficiency`` and, of the ten-item scale,
        ``alsfrs_respiratory``; ``at`` = "gastrostomy" says which question 5 was answered.
    cohort : Cohort, optional
        For the progression rate: ``onset_day`` of the subjects, ``day`` of the acquisitions. For ENCALS also
        age, onset site, and the covariates ``diagnosis_day``, ``definite_el_escorial``,
        ``frontotemporal_dementia`` and ``c9orf72``.
    params : Params
        Settings.

    Returns
    -------
    Table
        Rows of method ``clinical``, one a score and visit; ``encals_linear_predictor`` at the first visit
        from enrolment on, flag ``informational``, where the cohort has its covariates. Absent with
        ``insufficient_data`` where an item or predictor is missing.

    Raises
    ------
    InvalidInput
        If the rows break a law of the table.

    References
    ----------
    Cedarbaum 1999 J Neurol Sci 169:13; Balendra 2014; Chio 2015; Westeneng 2018 (see ``numerics``).
    """
    wide, visits = _wide(rows, cohort)
    if wide.empty:
        return from_rows([])
    found = scores(visits, params)
    revised: npt.NDArray[np.bool_] = np.asarray(~np.isnan(visits.items[:, 9:]).all(axis=1))
    old: npt.NDArray[np.bool_] = ~np.isnan(visits.respiratory)
    tables = [_rows(wide.loc[revised], name, found[name][revised]) for name in REVISED_WORDS]
    tables.append(_rows(wide.loc[old], "alsfrs", found["alsfrs"][old]))
    if cohort is not None:
        tables.append(_encals(wide, found["alsfrs_r"], visits.months, rows, cohort))
    return from_rows(pd.concat([table for table in tables if len(table)], ignore_index=True))


def _wide(rows: Table, cohort: Cohort | None) -> tuple[pd.DataFrame, Visits]:
    own = rows[rows["measure"].isin([*ITEM_WORDS, OLD_ITEM])]
    key = ["subject", "session", "run", "modality", "rater"]
    flat = own.pivot_table(index=key, columns="measure", values="value", aggfunc="first", dropna=False)
    flat = flat[flat.notna().any(axis=1)].reindex(columns=[*ITEM_WORDS, OLD_ITEM])
    wide = flat.reset_index()
    fed = own.loc[(own["at"] == "gastrostomy") & (own["measure"] == "alsfrs_r_cutting"), key]
    fed_keys = set(map(tuple, fed.to_numpy()))
    gastrostomy = np.array([tuple(values) in fed_keys for values in wide[key].to_numpy()], dtype=np.bool_)
    months = np.full(len(wide), np.nan)
    wide["day"] = np.nan
    if cohort is not None:
        visits = cohort.acquisitions.drop_duplicates(["subject", "session"]).set_index(
            ["subject", "session"]
        )["day"]
        index = pd.MultiIndex.from_frame(wide[["subject", "session"]])
        wide["day"] = visits.reindex(index).to_numpy()
        onset = cohort.subjects.set_index("subject")["onset_day"]
        months = (wide["day"] - onset.reindex(wide["subject"]).to_numpy()).to_numpy() / DAYS_PER_MONTH
    items = wide[list(ITEM_WORDS)].to_numpy(dtype=np.float64)
    return wide, Visits(items, wide[OLD_ITEM].to_numpy(dtype=np.float64), gastrostomy, months)


def _rows(visits: pd.DataFrame, measure: str, values: Floats, flags: str = "") -> pd.DataFrame:
    columns = [name for name in KEY if name in visits.columns and name not in ("measure", "method")]
    absent = np.where(np.isnan(values), "insufficient_data", "")
    return visits[columns].assign(
        measure=measure,
        method=METHOD,
        method_version=METHOD_VERSION,
        value=values,
        absent=absent,
        flags=flags,
    )


def _encals(wide: pd.DataFrame, totals: Floats, months: Floats, rows: Table, cohort: Cohort) -> pd.DataFrame:
    """The predictor of each subject at the first visit from enrolment on."""
    extra = cohort.covariates.set_index("subject")
    if {"diagnosis_day", *FLAGS.values()} - set(extra.columns):
        return wide.iloc[:0]
    scored = wide.assign(total=totals, months=months)
    first = scored[scored["day"] >= 0].sort_values("day").drop_duplicates("subject")
    people = cohort.subjects.set_index("subject").reindex(first["subject"])
    known = extra.reindex(first["subject"])
    breath = rows[(rows["measure"] == "forced_vital_capacity_predicted")].drop_duplicates(
        ["subject", "session"]
    )
    share = breath.set_index(["subject", "session"])["value"].reindex(
        pd.MultiIndex.from_frame(first[["subject", "session"]])
    )
    onset = people["onset_day"].to_numpy()
    flags: Mapping[str, Floats] = {
        name: known[column].to_numpy(dtype=np.float64) for name, column in FLAGS.items()
    }
    patient = encals.Patient(
        onset_age_years=people["age_years"].to_numpy() + onset / 365.25,
        delay_months=(known["diagnosis_day"].to_numpy(dtype=np.float64) - onset) / DAYS_PER_MONTH,
        decline_per_month=(alsfrs.HIGHEST - first["total"].to_numpy()) / first["months"].to_numpy(),
        vital_capacity=share.to_numpy(dtype=np.float64),
        bulbar=(people["onset_site"] == "bulbar").to_numpy().astype(np.float64),
        **flags,
    )
    return _rows(first, "encals_linear_predictor", encals.linear_predictor(patient), "informational")
