"""Description of a cohort as one act: read, count, draw, write."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from myoproof.core.cohort import Cohort, feature_rows
from myoproof.core.result import load_result
from myoproof.core.study import Feature
from myoproof.core.table import is_simulated
from myoproof.delivery import describe as page
from myoproof.errors import InvalidInput
from myoproof.studies import describe
from myoproof.workflow import folder as study_folder

MOST_FEATURES = 12


def describe_cohort(
    cohort_path: Path,
    out: Path,
    *,
    by: str = "arm",
    columns: Sequence[str] = (),
    features: Sequence[str] = (),
    clusters: Path | None = None,
    window_days: float = describe.WINDOW_DAYS,
) -> tuple[Path, pd.DataFrame]:
    """Describe a cohort: Table 1, flow, missing values, visits, balance, rainclouds and courses.

    Parameters
    ----------
    cohort_path : Path
        Study folder, or folder of plain tables.
    out : Path
        Folder for the page, its SVG figures and CSV tables.
    by : str
        Column that makes the groups.
    columns : sequence of str
        Variables of Table 1; those that hold anything by default.
    features : sequence of str
        ``measure/site/side``: further variables, with a raincloud and a course each; by default a few.
    clusters : Path, optional
        Result folder of a phenotype study: its clusters are the groups.
    window_days : float
        Days around the nominal month within which a visit is on time.

    Returns
    -------
    Path
        The page.
    DataFrame
        Table 1 in long form.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty tables, unknown columns or features, or an output in the way.
    """
    cohort = study_folder.read_cohort(cohort_path)
    groups, told = (None, by) if clusters is None else (_clusters(clusters), "cluster")
    chosen = [feature_of(text) for text in features] or usual_features(cohort)
    base = describe.baseline(cohort, by=told, columns=columns, features=chosen, groups=groups)
    names = [name for name in base.table if "/" in str(name)]
    shown = page.Description(
        by=told,
        table_one=describe.table_one(base),
        patterns=describe.missing_patterns(base),
        visits=describe.visit_windows(cohort, window_days=window_days),
        flow=describe.flow(cohort, base),
        balance={
            place: describe.balance(cohort, base, place) for place in ("centre", "device") if place != told
        },
        values=base.table[names],
        groups=base.groups,
        courses=_courses(cohort, chosen, base.groups),
        window_days=window_days,
        simulated=is_simulated(cohort.measurements),
    )
    return page.write(shown, out), shown.table_one


def feature_of(text: str) -> Feature:
    """A feature from ``measure/site/side[/at]``; the side defaults to all there are.

    Raises
    ------
    InvalidInput
        If there is no measure and site.

    Examples
    --------
    >>> feature_of("volume/thigh/both").site
    'thigh'
    """
    parts = text.strip().split("/")
    if not 2 <= len(parts) <= 4 or not all(parts[:2]):
        raise InvalidInput(f"{text!r} is no feature", mend="write measure/site/side, as volume/thigh/both")
    side, at = [*parts[2:], "", ""][:2]
    return Feature(measure=parts[0], site=parts[1], side=side or "*", at=at)


def usual_features(cohort: Cohort, *, most: int = 4) -> list[Feature]:
    """A few measures that most subjects have, one of each kind, for a first look.

    Parameters
    ----------
    cohort : Cohort
        What there is.
    most : int
        How many.
    """
    rows = cohort.measurements
    rows = rows[(rows["at"] == "") & rows["value"].notna()]
    if rows.empty:
        return []
    key = ["measure", "site", "side", "modality", "method", "rater"]
    held = rows.groupby(key)["subject"].nunique().rename("n").reset_index()
    held = held.sort_values(["n", *key], ascending=[False] + [True] * len(key), kind="stable")
    first = held.drop_duplicates("measure").head(most)
    return [
        Feature(
            measure=str(row["measure"]),
            site=str(row["site"]),
            side=str(row["side"]),
            modality=str(row["modality"]),
            method=str(row["method"]),
            rater=str(row["rater"]),
        )
        for _, row in first.iterrows()
    ]


def _clusters(folder: Path) -> dict[str, str]:
    predictions = load_result(folder).predictions
    rows = predictions[(predictions["target"] == "cluster") & (predictions["rank"] == 1)]
    if rows.empty:
        raise InvalidInput("the result holds no clusters", where=str(folder), mend="give a phenotype study")
    return dict(zip(rows["subject"], rows["candidate"], strict=True))


def _courses(cohort: Cohort, features: Sequence[Feature], groups: pd.Series) -> dict[str, pd.DataFrame]:
    courses: dict[str, pd.DataFrame] = {}
    key = ["subject", "session", "run", "modality"]
    days = cohort.acquisitions.drop_duplicates(key)[[*key, "day"]]
    for feature in features:
        found = feature_rows(cohort, feature)
        dated = found.merge(days, on=key, how="left") if "run" in found else found
        dated = dated.assign(group=dated["subject"].map(groups).fillna(""))
        for name, own in dated.groupby("feature", sort=True):
            if len(courses) < MOST_FEATURES:
                courses[str(name)] = own[["subject", "session", "day", "value", "group"]]
    return courses
