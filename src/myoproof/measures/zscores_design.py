"""What norms need to know of a row: its person's covariates, its side, its view, device and preset."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.errors import Finding, refuse
from myoproof.measures.zscores_norms import Term
from myoproof.vocabulary.lookup import near

Floats = npt.NDArray[np.float64]
VIEWS = ("longitudinal", "transverse", "panoramic")
"""Words of a protocol that are views; any other protocol is the view's name as it stands."""
WORDS = ("sex", "side")
FROM_ROWS = {"weight_kg": "body_weight", "height_cm": "body_height", "body_mass_index": "body_mass_index"}
"""Covariate -> the measure that holds it where no column does."""
DAYS_PER_YEAR = 365.25
TRANSFORMS: Mapping[str, Callable[[Floats], Floats]] = {
    "identity": np.positive,
    "square": np.square,
    "cube": lambda number: number**3,
    "log": np.log,
    "sqrt": np.sqrt,
}


def placed(rows: pd.DataFrame, cohort: Cohort, names: Iterable[str]) -> pd.DataFrame:
    """Rows with ``view``, ``device``, ``preset`` of their acquisition, and covariates of their person.

    Parameters
    ----------
    rows : DataFrame
        Measurement rows.
    cohort : Cohort
        Subjects, acquisitions, covariates, and measurements of body size.
    names : iterable of str
        Covariates; ``age_years`` is that at the visit.

    Returns
    -------
    DataFrame
        In the order of the rows, covariates prefixed ``of_``; "" or NaN where nobody recorded one.

    Raises
    ------
    InvalidInput
        Naming every covariate that no table holds.
    """
    key = ["subject", "session", "run", "modality"]
    visits = cohort.acquisitions[[*key, "day", "device", "preset", "protocol"]]
    out = rows.merge(visits, on=key, how="left")
    for name in ("device", "preset", "protocol"):
        out[name] = out[name].fillna("").astype(str)
    out["view"] = [view_of(text) for text in out["protocol"]]
    people = cohort.subjects.merge(cohort.covariates, on="subject", how="left", suffixes=("", "_covariate"))
    people = people.set_index("subject")
    wanted = sorted(set(names) | {"age_years"})
    lost = [name for name in wanted if name not in people and name not in (*FROM_ROWS, "side")]
    known = dict.fromkeys([*people.columns, *FROM_ROWS, "side"])
    faults = [
        Finding("error", "covariate", f"no column {n!r} in subjects or covariates", mend=near(n, known))
        for n in lost
    ]
    refuse(faults, where="norms")
    for name in wanted:
        if name == "side":
            out["of_side"] = out["side"]
            continue
        column = people[name] if name in people else pd.Series(np.nan, index=people.index)
        if name in FROM_ROWS:
            column = pd.to_numeric(column, errors="coerce").fillna(
                _measured(cohort, FROM_ROWS[name], people.index)
            )
        out[f"of_{name}"] = out["subject"].map(column)
    out["of_age_years"] = out["of_age_years"] + out["day"].fillna(0.0) / DAYS_PER_YEAR
    return out


def view_of(protocol: str) -> str:
    """The view that a protocol names.

    Examples
    --------
    >>> view_of("Transverse, relaxed"), view_of("nmus"), view_of("")
    ('transverse', 'nmus', '')
    """
    text = protocol.strip().lower()
    return next((view for view in VIEWS if view in text), text)


def design_of(placed_rows: pd.DataFrame, terms: Sequence[Term]) -> Floats:
    """Columns of a regression; NaN where a covariate is not recorded.

    Parameters
    ----------
    placed_rows : DataFrame
        From :func:`placed`.
    terms : sequence of Term
        Columns.

    Returns
    -------
    ndarray, shape (n, p)
    """
    columns = [_column(placed_rows, term) for term in terms]
    return np.column_stack(columns) if columns else np.empty((len(placed_rows), 0))


def parse_terms(texts: Sequence[str], levels: dict[str, str] | None = None) -> list[Term]:
    """Terms of a regression from words: ``age_years^2``, ``log(weight_kg)``, ``sex``, ``side``.

    Parameters
    ----------
    texts : sequence of str
        Words; the constant is always there.
    levels : dict, optional
        Word's column -> the word that is 1; ``male`` and ``left`` by default.

    Returns
    -------
    list of Term

    Raises
    ------
    InvalidInput
        Naming every transformation that is not known.

    Examples
    --------
    >>> [(term.name, term.transform, term.word) for term in parse_terms(["age_years^2", "sex"])]
    [('intercept', 'identity', ''), ('age_years', 'square', ''), ('sex', 'identity', 'male')]
    """
    chosen = {"sex": "male", "side": "left", **(levels or {})}
    powers = {"2": "square", "3": "cube"}
    terms, findings = [Term(name="intercept")], []
    for text in texts:
        name, _, power = text.partition("^")
        function, bracket, inner = name.partition("(")
        if bracket:
            name = inner.rstrip(")")
        transform = function if bracket else powers.get(power, "") if power else "identity"
        if transform not in TRANSFORMS or (bracket and power):
            mend = "use age_years, age_years^2, age_years^3, log(weight_kg) or sqrt(weight_kg)"
            findings.append(Finding("error", "term", f"the term {text!r} is not known", mend=mend))
            continue
        word = chosen.get(name, "")
        terms.append(Term.model_validate({"name": name, "transform": transform, "word": word}))
    refuse(findings, where="terms")
    return terms


def numbers_of(terms: Sequence[Term]) -> list[str]:
    """The covariates among some terms that are numbers."""
    return sorted({term.name for term in terms if not term.word and term.name != "intercept"})


def _column(rows: pd.DataFrame, term: Term) -> Floats:
    if term.name == "intercept":
        return np.ones(len(rows))
    column = rows[f"of_{term.name}"]
    if term.word:
        text = column.fillna("").astype(str)
        return np.where(text == "", np.nan, (text == term.word).astype(float))
    number = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64) - term.centre
    with np.errstate(invalid="ignore", divide="ignore"):
        made = TRANSFORMS[term.transform](number)
    return np.where(np.isfinite(made), made, np.nan)


def _measured(cohort: Cohort, measure: str, people: pd.Index) -> pd.Series:
    """A person's first recorded value of a measure of body size."""
    rows = cohort.measurements[cohort.measurements["measure"] == measure]
    first = rows.dropna(subset=["value"]).sort_values(["subject", "session"], kind="stable")
    return first.drop_duplicates("subject").set_index("subject")["value"].reindex(people)
