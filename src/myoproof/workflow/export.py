"""Rows for other software: a row per subject and session, with a data dictionary."""

import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.core.table import column_names, wide
from myoproof.vocabulary.lookup import label, words

INDEX = ("subject", "session")


def wide_cohort(cohort: Cohort) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per subject and session, and the codebook of its columns.

    Parameters
    ----------
    cohort : Cohort
        Subjects, covariates, days and measurements are joined.

    Returns
    -------
    rows : DataFrame
        ``subject, session, day``, the subjects' columns, covariates, then one column per measurement.
    codebook : DataFrame
        Columns ``column, label, unit, worse, type, n_missing, source`` for every column of ``rows``.

    Raises
    ------
    InvalidInput
        If the cohort holds no measurements.
    """
    values = wide(cohort.measurements, index=INDEX)
    days = cohort.acquisitions.groupby(list(INDEX), as_index=False)["day"].min()
    people = cohort.subjects.merge(cohort.covariates, on="subject", how="left")
    rows = values.merge(days, on=list(INDEX), how="left").merge(people, on="subject", how="left")
    first = [*INDEX, "day", *(name for name in people.columns if name != "subject")]
    rows = rows[[*first, *(name for name in values.columns if name not in INDEX)]]
    return rows, codebook(rows, cohort)


def codebook(rows: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """What every column of a wide table means."""
    named = cohort.measurements.assign(column=column_names(cohort.measurements, INDEX))
    meaning = named.drop_duplicates("column").set_index("column")
    entries = []
    for column in rows.columns:
        entry: dict[str, object] = {"column": column, "n_missing": int(_missing(rows[column]).sum())}
        entry["type"] = "number" if rows[column].dtype.kind in "fi" else "text"
        if column in meaning.index:
            row = {name: str(text) for name, text in meaning.loc[column].items()}
            word = words("measures")[row["measure"]]
            places = [label("sites", row["site"]), row["side"], row["at"], row["method"], row["rater"]]
            text = ", ".join(part for part in [word["label"], *places] if part)
            entry |= {"label": text, "unit": row["unit"], "worse": word["worse"], "source": "measurements"}
        else:
            source = "covariates" if column in cohort.covariates and column not in INDEX else "subjects"
            unit = "a" if column.endswith("_years") else "d" if column.endswith("day") else ""
            entry |= {"label": column.replace("_", " "), "unit": unit, "worse": "", "source": source}
        entries.append(entry)
    order = ["column", "label", "unit", "worse", "type", "n_missing", "source"]
    return pd.DataFrame(entries)[order]


def _missing(column: pd.Series) -> pd.Series:
    return column.isna() | (column.astype(str) == "")
