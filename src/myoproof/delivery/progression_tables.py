"""Tables of a progression study."""

import pandas as pd

from myoproof.delivery.naming import (
    term_name,
    term_scale,
    word,
)
from myoproof.delivery.page import (
    Grid,
    count_column,
    formatted_column,
    interval_column,
    number_column,
    p_column,
    pick,
    records,
    text_column,
)
from myoproof.delivery.phenotypes_tables import remark
from myoproof.delivery.progression_figures import (
    group_name,
)
from myoproof.delivery.wording import (
    DASH,
    percent,
    sentence_case,
)

FOLDED_ABOVE = 24


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
    for row in records(rows):
        scale, unit = term_scale(row["term"], row["unit"], change=change)
        values.append(scale * row["value"])
        bounds.append((scale * row["low"], scale * row["high"]))
        units.append(unit)
    return values, bounds, units


def _change_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis=["change", "difference", "mixed_model", "fast_slow"])
    if rows.empty:
        return None
    values, bounds, units = _shown(rows, change=True)
    kinds = [f"{word(r['analysis'])} {_bracketed(r['method'])}".strip() for r in records(rows)]
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
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        rows,
        folded=len(rows) > FOLDED_ABOVE,
    )


def _bracketed(method: str) -> str:
    return f"({word(method)})" if method else ""


def _league_table(estimates: pd.DataFrame, key: str) -> Grid | None:
    rows = pick(estimates, analysis="srm").sort_values("value", ascending=False, kind="stable")
    if rows.empty:
        return None
    arms = {
        effect: pick(estimates, analysis="sample_size", group=effect)
        .drop_duplicates("term")
        .set_index("term")
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
            interval_column(
                "SRM (95 % interval)",
                rows["value"].tolist(),
                list(zip(rows["low"], rows["high"], strict=True)),
                decimals=2,
            ),
            *(
                count_column(f"n per arm, {effect[:-1]} % effect", rows["term"].map(table["value"]).tolist())
                for effect, table in arms.items()
            ),
            formatted_column("Best in bootstrap", rows["term"].map(share).tolist(), percent),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        pick(estimates, analysis=["srm", "sample_size", "selection"]),
        folded=len(rows) > FOLDED_ABOVE,
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
        folded=len(rows) > FOLDED_ABOVE,
    )


def _anova_words(text: str) -> str:
    return (
        text.removeprefix("rm_anova_").replace("gg ", "Greenhouse–Geisser, ", 1).replace(",", ", ")
        if text
        else DASH
    )


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
            interval_column(
                "r (95 % interval)",
                rows["value"].tolist(),
                list(zip(rows["low"], rows["high"], strict=True)),
                decimals=2,
            ),
            p_column("p", rows["p"].tolist()),
            p_column("Adjusted p", rows["p_adjusted"].tolist()),
            count_column("n", rows["n_subjects"].tolist()),
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        rows,
        folded=len(rows) > FOLDED_ABOVE,
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
            text_column("Remark", [remark(row) for row in records(rows)]),
        ),
        rows,
        folded=True,
    )
