"""Norms learnt from controls: one regression per measure, muscle, view, rule, device and preset."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from myoproof.core.cohort import Cohort
from myoproof.core.table import Table, is_simulated
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.zscores_design import design_of, numbers_of, parse_terms, placed
from myoproof.measures.zscores_norms import GREY, Norm, NormFile, Term
from myoproof.numerics.norms import FitChecks, Regression, check_fit, fit
from myoproof.vocabulary.lookup import near, words

Floats = npt.NDArray[np.float64]
GROUP = ("measure", "site", "view", "method", "device", "preset")
FAR = 1.959964
"""A z beyond this is one in twenty."""


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of a norm.

    Parameters
    ----------
    measures : tuple of str
        Which; all that have a z in the vocabulary when empty.
    methods : tuple of str
        Which methods (rules of the region); all when empty.
    terms : tuple of str
        Covariates: ``age_years``, ``age_years^2``, ``log(weight_kg)``, ``sex``, ``side``. None: a mean.
    log : bool
        Logarithm of the value.
    controls : mapping of str to str
        Column of the subjects table -> the word that controls have; everybody when empty.
    gain_sd_db : mapping of str to float
        Device -> how far its gain strays; the key "" is any other device.
    dynamic_range_db : mapping of str to float
        Device -> its dynamic range, likewise.
    fewest : int
        Fewer subjects give no norm.
    title, source : str
        Of the file.
    """

    measures: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    terms: tuple[str, ...] = ("age_years", "sex")
    log: bool = False
    controls: Mapping[str, str] = field(default_factory=lambda: {"arm": "control"})
    gain_sd_db: Mapping[str, float] = field(default_factory=dict)
    dynamic_range_db: Mapping[str, float] = field(default_factory=dict)
    fewest: int = 20
    title: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt.

    Parameters
    ----------
    file : NormFile
        Norms.
    checks : DataFrame
        A line a norm: n, rmse, r2, share of variance between subjects, spread and share beyond 2 SD of
        left-out z with its interval, skewness, p of unequal spread, p of curvature with age, leverage.
    findings : list of Finding
        What was left out, and why.
    """

    file: NormFile
    checks: pd.DataFrame
    findings: list[Finding]


def learn(rows: Table, cohort: Cohort, *, params: Params = Params()) -> Learnt:
    """Fit norms to controls.

    Parameters
    ----------
    rows : Table
        Measurement rows of whole regions; a subject's first session counts, its runs are averaged, and its
        sides are rows of one person (random intercept), not two people.
    cohort : Cohort
        Controls with their covariates and acquisitions.
    params : Params
        Terms and who is a control.

    Returns
    -------
    Learnt

    Raises
    ------
    InvalidInput
        Naming every fault: nobody is a control, unknown terms, measures or covariates, nothing to fit.
    """
    terms = parse_terms(params.terms)
    _refuse_settings(params)
    mine = _controls(rows, cohort, params)
    full = placed(mine, cohort, {term.name for term in terms} - {"intercept"})
    norms, checks, findings = [], [], []
    for key, own in full.groupby(list(GROUP), sort=True):
        names = dict(zip(GROUP, map(str, key), strict=True))
        if words("measures")[names["measure"]]["unit"] == GREY and not (names["device"] and names["preset"]):
            message = f"{len(own)} rows of {names['measure']} at {names['site']} have no device or no preset"
            findings.append(Finding("warning", "unknown_device", message, mend="name both in acquisitions"))
            continue
        made = _one(own, names, terms, params)
        if isinstance(made, Finding):
            findings.append(made)
            continue
        norms.append(made[0])
        checks.append(made[1])
    if not norms:
        listed = "".join(f"\n  - {finding}" for finding in findings)
        raise InvalidInput(f"no norm can be learnt{listed}", where="norms")
    file = NormFile(tuple(norms), params.title, params.source, is_simulated(mine))
    return Learnt(file, pd.DataFrame(checks), findings)


def _one(
    own: pd.DataFrame, names: Mapping[str, str], terms: list[Term], params: Params
) -> tuple[Norm, dict[str, Any]] | Finding:
    """The norm of one group of rows with its checks, or why there is none."""
    table = _averaged(own)
    design = design_of(table, terms)
    kept = np.isfinite(design).all(axis=1)
    table, design = pd.DataFrame(table[kept]), design[kept]
    values = table["value"].to_numpy(dtype=np.float64)
    where = "/".join(filter(None, (names["measure"], names["site"], names["view"], names["device"])))
    people, codes = np.unique(table["subject"].to_numpy(dtype=str), return_inverse=True)
    if len(people) < max(params.fewest, len(terms) + 2):
        message = f"{len(people)} controls; {max(params.fewest, len(terms) + 2)} are needed"
        return Finding("warning", "too_few", message, where=where)
    if params.log:
        if (values <= 0).any():
            return Finding("warning", "not_positive", "values of 0 or less have no logarithm", where=where)
        values = np.log(values)
    try:
        regression = fit(design, values, codes)
    except InvalidInput as fault:
        return Finding("warning", "not_fitted", str(fault), where=where)
    if not regression.variance > 0:
        return Finding("warning", "constant", "the values leave no residual", where=where)
    norm = _norm(table, names, terms, regression, params)
    checked = check_fit(regression, design, values, codes)
    return norm, _line(table, names, design, values, regression, checked)


def _norm(
    table: pd.DataFrame, names: Mapping[str, str], terms: list[Term], regression: Regression, params: Params
) -> Norm:
    numbers = sorted({*numbers_of(terms), "age_years"})
    spans = {name: pd.to_numeric(table[f"of_{name}"], errors="coerce") for name in numbers}
    ranges = {name: (float(own.min()), float(own.max())) for name, own in spans.items() if own.notna().any()}
    sides = set(table["side"])
    content: dict[str, Any] = dict(names)
    content |= {
        "side": sides.pop() if len(sides) == 1 else "",
        "value_transform": "log" if params.log else "identity",
        "terms": [term.model_dump() for term in terms],
        "coefficients": regression.coefficients.tolist(),
        "covariance": ((regression.covariance + regression.covariance.T) / 2).tolist(),
        "variance_between": regression.between,
        "variance_within": regression.within,
        "df": regression.df,
        "n_subjects": regression.n_subjects,
        "n_rows": regression.n_rows,
        "ranges": ranges,
        "gain_sd_db": _for_device(params.gain_sd_db, names["device"]),
        "dynamic_range_db": _for_device(params.dynamic_range_db, names["device"]),
    }
    return Norm.model_validate(content)


def _line(
    table: pd.DataFrame,
    names: Mapping[str, str],
    design: Floats,
    values: Floats,
    regression: Regression,
    checked: FitChecks,
) -> dict[str, Any]:
    far = int((np.abs(checked.left_out_z) > FAR).sum())
    share = stats.binomtest(far, len(values)).proportion_ci(method="wilson")
    return {
        **names,
        "n_subjects": regression.n_subjects,
        "n_rows": regression.n_rows,
        "rmse": checked.rmse,
        "r2": checked.r_squared,
        "share_between": regression.between / regression.variance,
        "left_out_sd": float(checked.left_out_z.std(ddof=1)),
        "beyond": far / len(values),
        "beyond_low": float(share.low),
        "beyond_high": float(share.high),
        "skewness": checked.skewness,
        "spread_p": checked.spread_p,
        "age_curve_p": _curve_p(table, design, values),
        "leverage": checked.leverage,
    }


def _curve_p(table: pd.DataFrame, design: Floats, values: Floats) -> float:
    """Whether the square of age tells more: F test on the means of subjects; NaN where age is not known."""
    age = pd.to_numeric(table["of_age_years"], errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(age).all():
        return float("nan")
    subjects = np.unique(table["subject"].to_numpy(dtype=str), return_inverse=True)[1]
    counts = np.bincount(subjects)
    stacked = np.column_stack([values, age, design])
    sums = np.zeros((len(counts), stacked.shape[1]))
    np.add.at(sums, subjects, stacked)
    means = sums / counts[:, np.newaxis]
    y, a, x = means[:, :1], means[:, 1:2], means[:, 2:]
    centred = a - a.mean()
    full = np.column_stack([x, centred, centred**2])
    rest = [float(((y - m @ np.linalg.lstsq(m, y, rcond=None)[0]) ** 2).sum()) for m in (full[:, :-1], full)]
    df = len(y) - np.linalg.matrix_rank(full)
    gained = np.linalg.matrix_rank(full) - np.linalg.matrix_rank(full[:, :-1])
    if gained < 1 or df < 1 or rest[1] <= 0:
        return float("nan")
    return float(stats.f.sf((rest[0] - rest[1]) / (rest[1] / df), 1, df))


def _averaged(own: pd.DataFrame) -> pd.DataFrame:
    """A row a subject and side: the first session, runs averaged."""
    held = own.dropna(subset=["value"]).sort_values(["subject", "day", "session"], kind="stable")
    first = held.groupby("subject")["session"].transform("first")
    held = held[held["session"] == first]
    carried = [name for name in held if str(name).startswith("of_")]
    return held.groupby(["subject", "side"], as_index=False, sort=True).agg(
        {"value": "mean", **dict.fromkeys(carried, "first")}
    )


def _controls(rows: Table, cohort: Cohort, params: Params) -> pd.DataFrame:
    people = cohort.subjects
    for column, word in params.controls.items():
        people = people[people[column] == word]
    told = " and ".join(f"{column} {word!r}" for column, word in params.controls.items())
    if people.empty:
        known = ", ".join(sorted({str(w) for c in params.controls for w in set(cohort.subjects[c])}))
        raise InvalidInput(f"nobody has {told}", where="subjects", mend=f"there are: {known}")
    chosen = params.measures or tuple(name for name in words("measures") if f"{name}_z" in words("measures"))
    mine = rows[rows["measure"].isin(chosen) & (rows["at"] == "") & rows["subject"].isin(people["subject"])]
    if params.methods:
        mine = mine[mine["method"].isin(params.methods)]
    if mine["value"].notna().sum() == 0:
        raise InvalidInput(
            f"no values of {', '.join(chosen)} of subjects with {told or 'any arm'}", where="rows"
        )
    return pd.DataFrame(mine)


def _refuse_settings(params: Params) -> None:
    known = words("measures")
    findings = [
        Finding("error", "measure", f"measure {name!r} has no z", mend=near(f"{name}_z", known))
        for name in params.measures
        if f"{name}_z" not in known
    ]
    columns = sorted(set(params.controls) - {"arm", "diagnosis", "centre", "sex", "genotype"})
    findings += [Finding("error", "setting", f"controls cannot be told by {name!r}") for name in columns]
    refuse(findings, where="norms")


def _for_device(told: Mapping[str, float], device: str) -> float | None:
    return told.get(device, told.get(""))
