"""The progression study in the report: its findings in words, its figures and its tables."""

import math
from typing import Any

import pandas as pd

from myoproof.core.result import Result
from myoproof.delivery.figures import Drawing
from myoproof.delivery.flow import flow_drawing, flow_steps
from myoproof.delivery.page import (
    Grid,
    Section,
    count_column,
    first,
    formatted_column,
    interval_column,
    number_column,
    p_column,
    pick,
    text_column,
)
from myoproof.delivery.phenotypes import remark
from myoproof.delivery.progression_figures import (
    change_drawing,
    correlation_drawing,
    group_name,
    league_drawing,
    tempo_drawing,
    trajectories_drawing,
)
from myoproof.delivery.wording import (
    DASH,
    interval,
    number,
    p_text,
    percent,
    sentence_case,
    series,
    size,
    term_name,
    term_scale,
    word,
)

MAXIMUM_SENTENCES = 6


def section(result: Result, *, key: str) -> Section:
    """The part of the report on one progression study.

    Parameters
    ----------
    result : Result
        Result of a study of kind ``progression``; analyses that are missing are left out with a note.
    key : str
        Anchor and prefix of all keys.

    Returns
    -------
    Section
        With findings for the summary.
    """
    estimates, simulated = result.estimates, result.simulated
    terms = ordered_terms(result)
    drawn: list[tuple[str, Drawing | None]] = [
        ("cohort flow", flow_drawing(estimates, key=key, simulated=simulated)),
        ("course", trajectories_drawing(estimates, result.predictions, key=key, terms=terms, simulated=simulated)),
    ]
    for measure in dict.fromkeys(term.split("/")[0] for term in _changed(estimates, terms)):
        change = change_drawing(estimates, key=key, measure=measure, terms=terms, simulated=simulated)
        drawn.append((f"change in {term_name(measure)}", change))
    drawn += [
        ("responsiveness", league_drawing(estimates, key=key, simulated=simulated)),
        ("correlations", correlation_drawing(estimates, key=key, simulated=simulated)),
        ("fast and slow progressors", tempo_drawing(estimates, key=key, terms=terms, simulated=simulated)),
    ]
    parts: list[Drawing | Grid | str] = [drawing for _, drawing in drawn if drawing]
    missing = [name for name, drawing in drawn if drawing is None]
    if missing:
        parts.append(f"Not shown, because the result holds no rows for it: {series(missing)}.")
    return Section(
        key=key,
        title=result.study.title,
        findings=tuple(findings(result)),
        parts=(*parts, *tables(estimates, key=key)),
        leading=True,
    )


def ordered_terms(result: Result) -> list[str]:
    """All terms with a change or a level, those of the primary family first.

    Parameters
    ----------
    result : Result
        Result of a progression study.
    """
    primary = [term for name, terms in result.study.families.items() if name == "primary" for term in terms]
    rest = pick(result.estimates, analysis=["change", "level", "srm"])["term"].tolist()
    held = set(rest)
    return list(dict.fromkeys([*(term for term in primary if term in held), *rest]))


def _changed(estimates: pd.DataFrame, terms: list[str]) -> list[str]:
    held = set(pick(estimates, analysis="change", method="paired_t")["term"])
    return [term for term in terms if term in held]


def findings(result: Result) -> list[str]:
    """What the study found, one sentence or two a finding, every number from a row.

    Parameters
    ----------
    result : Result
        Result of a progression study.
    """
    estimates = result.estimates
    told = [*_flow(estimates), *_changes(result), *_best(estimates), *_correlations(estimates)]
    return [sentence for sentence in told if sentence]


def _flow(estimates: pd.DataFrame) -> list[str]:
    steps = flow_steps(estimates)
    if not steps:
        return []
    first_step, last_step = steps[0], steps[-1]
    return [f"Cohort: {first_step[0].lower()}, {size(first_step[1])}; {last_step[0].lower()}, {size(last_step[1])}."]


def _changes(result: Result) -> list[str]:
    estimates = result.estimates
    primary = set(result.study.families.get("primary", []))
    rows = pick(estimates, analysis="change", method="paired_t", group=["als", ""])
    main = rows[rows["term"].isin(primary)] if primary else rows
    told = [_change(row, estimates) for row in main.head(MAXIMUM_SENTENCES).itertuples()]
    if len(main) > MAXIMUM_SENTENCES:
        told.append(f"{len(main) - MAXIMUM_SENTENCES} more primary changes stand in the table.")
    others = rows[~rows["term"].isin(primary)] if primary else rows.iloc[:0]
    if not others.empty:
        held = int((others["p_adjusted"] < 0.05).sum())
        told.append(
            f"Of {len(others)} exploratory changes, {held} have an adjusted p below .05"
            f" ({_n_range(others['n_subjects'])})."
        )
    return told


def _n_range(counts: pd.Series) -> str:
    low, high = counts.min(), counts.max()
    return size(low) if low == high or math.isnan(low) else f"{size(low)} to {int(high)}"


def _change(row: Any, estimates: pd.DataFrame) -> str:
    name = sentence_case(term_name(row.term))
    who = f" in {group_name(row.group)}" if row.group else ""
    if row.value != row.value:
        return f"{name}{who}: no estimate ({term_name(row.absent)})."
    scale, unit = term_scale(row.term, row.unit, change=True)
    verb = "rose" if row.value > 0 else "fell"
    shown = interval(abs(scale * row.value), *_turned(scale * row.low, scale * row.high, row.value), unit=unit)
    adjusted = row.p_adjusted == row.p_adjusted
    p = p_text(row.p_adjusted, symbol="adjusted p") if adjusted else p_text(row.p)
    return f"{name}{who} {verb} by {shown}; {p}, {size(row.n_subjects)}.{_contrast(estimates, row.term)}"


def _turned(low: float, high: float, sign: float) -> tuple[float, float]:
    return (low, high) if sign > 0 else (-high, -low)


def _contrast(estimates: pd.DataFrame, term: str) -> str:
    row = first(estimates, analysis="difference", term=term)
    if row is None or math.isnan(row["value"]):
        return ""
    scale, unit = term_scale(term, row["unit"], change=True)
    shown = interval(scale * row["value"], scale * row["low"], scale * row["high"], unit=unit)
    return f" ALS minus controls: {shown}."


def _best(estimates: pd.DataFrame) -> list[str]:
    rows = pick(estimates, analysis="srm").dropna(subset=["value"])
    rows = rows[rows["group"].isin(["", "als"])]
    if rows.empty:
        return []
    best = rows.sort_values("value", ascending=False, kind="stable").iloc[0]
    shown = interval(best["value"], best["low"], best["high"], decimals=2)
    told = f"Most responsive measure: {term_name(best['term'])}, SRM {shown}, {size(best['n_subjects'])}"
    arm = first(estimates, analysis="sample_size", term=best["term"], group="50%")
    if arm is not None and not math.isnan(arm["value"]):
        reach = f" ({number(arm['low'], 0)} to {number(arm['high'], 0)})" if arm["low"] == arm["low"] else ""
        told += f"; {number(arm['value'], 0)} patients per arm{reach} would show a 50 % slowing"
    return [told + f".{_honest(estimates, best['term'])}"]


def _honest(estimates: pd.DataFrame, term: str) -> str:
    rows = pick(estimates, analysis="selection", group="honest").dropna(subset=["value"])
    share = first(pick(estimates, analysis="selection"), term=term)
    told = ""
    if share is not None and share["group"] != "honest" and share["value"] <= 1:
        told += f" It is the best in {percent(share['value'])} of bootstrap samples."
    for row in rows.itertuples():
        if "srm" in f"{row.term} {row.method} {row.unit}".lower() or len(rows) == 1:
            told += f" Judged out of bag, the measure so chosen has an SRM of {interval(row.value, row.low, row.high, decimals=2)}."
    return told


def _correlations(estimates: pd.DataFrame) -> list[str]:
    rows = pick(estimates, analysis="correlation").dropna(subset=["value"])
    rows = pick(rows, method="pearson") if "pearson" in set(rows["method"]) else rows
    if rows.empty:
        return []
    top = rows.reindex(rows["value"].abs().sort_values(ascending=False, kind="stable").index).head(3)
    told = [
        f"{term_name(row.term)} with {term_name(row.group)} r = {interval(row.value, row.low, row.high, decimals=2)}, {size(row.n_subjects)}"
        for row in top.itertuples()
    ]
    return [f"Strongest of {len(rows)} correlations of change: {'; '.join(told)}."]


def tables(estimates: pd.DataFrame, *, key: str) -> list[Grid]:
    """The tables of a progression study; those without rows are left out.

    Parameters
    ----------
    estimates : DataFrame
        Rows of the study.
    key : str
        Prefix of the tables' keys.
    """
    made = [
        _change_table(estimates, key),
        _league_table(estimates, key),
        _anova_table(estimates, key),
        _correlation_table(estimates, key),
        _level_table(estimates, key),
    ]
    return [grid for grid in made if grid]


def _shown(rows: pd.DataFrame, *, change: bool) -> tuple[list[float], list[tuple[float, float]], list[str]]:
    values, bounds, units = [], [], []
    for row in rows.itertuples():
        scale, unit = term_scale(row.term, row.unit, change=change)
        values.append(scale * row.value)
        bounds.append((scale * row.low, scale * row.high))
        units.append(unit)
    return values, bounds, units


def _change_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis=["change", "difference", "mixed_model", "fast_slow"])
    if rows.empty:
        return None
    values, bounds, units = _shown(rows, change=True)
    kinds = [
        f"{word(row.analysis)}{f' ({word(row.method)})' if row.method else ''}" for row in rows.itertuples()
    ]
    return Grid(
        f"{key}-changes",
        "Change from baseline, all analyses",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Group", [group_name(name) for name in rows["group"]]),
            text_column("Analysis", [sentence_case(kind) for kind in kinds]),
            interval_column("Estimate (95 % interval)", values, bounds),
            text_column("Unit", units),
            p_column("p", rows["p"].tolist()),
            p_column("Adjusted p", rows["p_adjusted"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in rows.to_dict("records")]),
        ),
        rows,
        folded=len(rows) > 24,
    )


def _league_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="srm").sort_values("value", ascending=False, kind="stable")
    if rows.empty:
        return None
    arms = {
        effect: pick(estimates, analysis="sample_size", group=effect).drop_duplicates("term").set_index("term")
        for effect in ("50%", "25%")
    }
    chosen = pick(estimates, analysis="selection")
    share = chosen[chosen["group"] != "honest"].drop_duplicates("term").set_index("term")["value"]
    return Grid(
        f"{key}-responsiveness",
        "Responsiveness league: standardised response mean and patients per arm",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Group", [group_name(name) for name in rows["group"]]),
            interval_column("SRM (95 % interval)", rows["value"].tolist(), list(zip(rows["low"], rows["high"], strict=True))),
            *(
                count_column(f"n per arm, {effect[:-1]} % effect", rows["term"].map(table["value"]).tolist())
                for effect, table in arms.items()
            ),
            formatted_column("Best in bootstrap", rows["term"].map(share).tolist(), percent),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in rows.to_dict("records")]),
        ),
        pick(estimates, analysis=["srm", "sample_size", "selection"]),
        folded=len(rows) > 40,
    )


def _anova_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="rm_anova")
    if rows.empty:
        return None
    return Grid(
        f"{key}-anova",
        "Repeated-measures analysis of variance: F, partial eta squared, degrees of freedom and visits used",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Group", [group_name(name) for name in rows["group"]]),
            number_column("F", rows["statistic"].tolist(), decimals=2),
            text_column("Correction, df, visits", [_anova_words(text) for text in rows["method"]]),
            number_column("Partial eta squared", rows["value"].tolist(), decimals=3),
            p_column("p", rows["p"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
        ),
        rows,
        folded=len(rows) > 24,
    )


def _anova_words(text: str) -> str:
    return text.removeprefix("rm_anova_").replace("gg ", "Greenhouse–Geisser, ", 1).replace(",", ", ") if text else DASH


def _correlation_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="correlation")
    if rows.empty:
        return None
    return Grid(
        f"{key}-correlations",
        "Correlation of relative change with clinical change",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Clinical measure", [sentence_case(term_name(name)) for name in rows["group"]]),
            text_column("Method", [sentence_case(name) for name in rows["method"]]),
            interval_column("r (95 % interval)", rows["value"].tolist(), list(zip(rows["low"], rows["high"], strict=True))),
            p_column("p", rows["p"].tolist()),
            p_column("Adjusted p", rows["p_adjusted"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in rows.to_dict("records")]),
        ),
        rows,
        folded=len(rows) > 24,
    )


def _level_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="level")
    if rows.empty:
        return None
    values, bounds, units = _shown(rows, change=False)
    return Grid(
        f"{key}-levels",
        "Mean level by visit",
        (
            text_column("Measure and site", [sentence_case(term_name(name)) for name in rows["term"]]),
            text_column("Group", [group_name(name) for name in rows["group"]]),
            number_column("Day", rows["day"].tolist(), decimals=0),
            interval_column("Mean (95 % interval)", values, bounds),
            text_column("Unit", units),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in rows.to_dict("records")]),
        ),
        rows,
        folded=True,
    )
