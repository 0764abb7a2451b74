"""The words a study file implies: methods paragraphs, limitations, and the file itself."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from myoproof.core.result import Result
from myoproof.core.study import Feature, Study
from myoproof.delivery.flow import flow_steps
from myoproof.delivery.naming import (
    reason,
    term_name,
    word,
)
from myoproof.delivery.page import pick
from myoproof.delivery.phenotypes import is_claim
from myoproof.delivery.wording import (
    percent,
    sentence_case,
    series,
    size,
)
from myoproof.vocabulary.lookup import label

KIND_METHODS: Mapping[str, str] = MappingProxyType(
    {
        "phenotypes": (
            "Features were standardised and grouped by k-means. Features that are missing too often are"
            " dropped, the rest imputed within each resample. Silhouette, prediction strength and stability"
            " (adjusted Rand index of resamples against the full partition, each with fresh starts) describe"
            " each number of groups. One statistic decides: the largest standardised excess over data"
            " simulated without subtypes, over all numbers of groups examined. Subtypes are claimed only"
            " where every such null is rejected. The groups were never built with the outcome; cluster 0 is"
            " the milder. Consensus (share of ambiguous pairs), gap statistic, Gaussian mixtures (BIC) and"
            " clusters of what severity leaves describe beside them. The severity axis is offered in place of"
            " the groups where its cross-validated R² of the outcome is at least theirs less one standard"
            " error."
        ),
        "agreement": (
            "Rows meet where all of their key but the reader, method or visit agrees. Intraclass correlations"
            " follow McGraw and Wong; limits of agreement Bland and Altman, from variance components where a"
            " subject has several rows. SEM is the root of the mean square within targets, systematic"
            " differences included; MDC95 is 1.96 times the square root of 2 times SEM. Intervals count"
            " subjects: exact with one row a subject, else by the jackknife over subjects."
        ),
        "progression": (
            "Change is last visit minus baseline. Each term was tested within groups by the paired t test"
            " and the Wilcoxon signed-rank test, over all visits by repeated-measures analysis of variance"
            " and a mixed model, and between groups by the difference in change. The standardised response"
            " mean is mean change divided by the SD of change, worsening positive, with a bootstrap interval;"
            " patients per arm follow from it for a two-sided two-sample t test. The choice of the best"
            " measure was bootstrapped as well. p is adjusted within the families named here: Holm within"
            " the primary, Benjamini–Hochberg in the others unless the parameters say otherwise."
        ),
        "design": (
            "Each outcome's untreated change, worsening positive, was held against the spread of one"
            " patient's contribution. t test: change at the last visit over its SD, exact by the noncentral"
            " t. Random slopes: Edland's formula with the REML variances. Generalised least squares: Diggle's"
            " formula with the visits' covariance (EM). Repeated measures: the formula of Lu, Luo and Chen"
            " with drop-out within. Intervals are bias-corrected bootstrap intervals over patients, turned"
            " into sizes. The shrunken size draws each standardised response mean towards the mean of all"
            " candidates by their joint sampling covariance (empirical Bayes). Adjustment for prognosis takes"
            " the correlation of the change with its prediction in patients left out, and is refused where"
            " there is none."
        ),
    }
)
TRIAL_METHODS = (
    "Change from baseline was compared between the arms at every visit by a mixed model for repeated measures"
    " with visit, arm by visit, baseline and covariates, fitted by restricted maximum likelihood; the first"
    " covariance structure of the list that converged stands, with the degrees of freedom named here."
    " Least-squares means stand at the covariates as they are, or balanced. Slopes are from random intercepts"
    " and slopes with a shared start. Where asked, drop-out was imputed otherwise (parameters by bootstrap,"
    " pooled by Rubin's rules), worsened until significance went, and death counted as the worst outcome by"
    " generalised pairwise comparison. The mixed model agrees with SAS PROC MIXED listings to 1e-4. Within"
    " arms, change is last visit minus baseline by the paired t test and the Wilcoxon test."
)
KIND_LIMITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "phenotypes": (
            "Not rejecting a null is no proof that there are no subtypes: a separation too small for this"
            " sample would not be seen.",
            "Rejecting these nulls shows a departure from the continua they describe, not from every"
            " conceivable one.",
            "An estimate by group is an estimate for the groups as k-means drew them, which misplace some"
            " patients; a difference between true classes may be larger.",
        ),
        "progression": (
            "Patients who leave a study of this kind are often those who progress fastest: estimates among"
            " those who stayed may understate progression.",
            "Sample sizes inherit the uncertainty of the response means: plan with their intervals, not"
            " their points.",
        ),
        "design": (
            "A treatment is taken to slow everyone's change by the same amount; one that slows in proportion"
            " needs fewer patients, one that helps a few needs more.",
            "The next trial's patients are taken to worsen as the pilot's did; the intervals tell the chance"
            " of the pilot, not a change of population, centre or scanner.",
        ),
    }
)


def methods(study: Study, software: Mapping[str, str]) -> list[tuple[str, str]]:
    """The methods of one study as (head, text), generated from its file.

    Parameters
    ----------
    study : Study
        The question as written before the answer.
    software : mapping
        Package -> version.
    """
    told = [
        ("Question", study.question),
        ("Estimand", _estimand(study)),
        ("Reference", study.reference),
        ("Cohort", _cohort(study)),
        ("Features", sentence_case("; ".join(_feature(feature) for feature in study.features)) + "."),
        ("Outcome", "" if study.outcome is None else sentence_case(_feature(study.outcome)) + "."),
        ("Held beside", sentence_case("; ".join(_feature(feature) for feature in study.correlates))),
        ("Adjusted for", sentence_case(series([word(name) for name in study.covariates]))),
        ("Families of tests", ". ".join(_family(name, terms) for name, terms in study.families.items())),
        ("Analysis", TRIAL_METHODS if "mmrm" in study.method else KIND_METHODS.get(study.kind, "")),
        ("Parameters", _parameters(study.method)),
        ("Acceptance criteria", _parameters(study.accept)),
        ("Seed", str(study.seed)),
        ("Software", series([f"{name} {version}" for name, version in software.items()])),
    ]
    return [(head, text) for head, text in told if text]


def _estimand(study: Study) -> str:
    if study.estimand is None:
        return ""
    held = study.estimand
    events = series([f"{word(one.event)}: {word(one.strategy)}" for one in held.intercurrent_events])
    told = {
        "population": held.population,
        "treatment": held.treatment,
        "endpoint": held.endpoint,
        "intercurrent events": events,
        "summary": held.summary,
    }
    return sentence_case("; ".join(f"{name}: {text}" for name, text in told.items() if text)) + "."


def _cohort(study: Study) -> str:
    wanted = {name: value for name, value in study.cohort.model_dump().items() if value}
    if not wanted:
        return "All subjects and sessions of the cohort."
    held = [
        f"{word(name)}: {series([word(v) for v in value]) if isinstance(value, list) else word(value)}"
        for name, value in wanted.items()
    ]
    return sentence_case("; ".join(held)) + "."


def _feature(feature: Feature) -> str:
    sites = [feature.site] if isinstance(feature.site, str) else feature.site
    free = sites == ["*"]
    where = (
        "every site"
        if free and feature.side != "*"
        else series([label("sites", s) for s in sites if s != "*"])
    )
    sides = {"*": "" if free else "each side", "mean": "mean of sides", "both": "both sides together", "": ""}
    extra = [
        f"{name} {value}"
        for name in ("modality", "at", "method", "rater", "session")
        if (value := getattr(feature, name))
    ]
    side = sides.get(feature.side, feature.side)
    return ", ".join(part for part in (term_name(feature.measure), where, side, *extra) if part)


def _family(name: str, terms: Sequence[str]) -> str:
    shown = "; ".join(term_name(term) for term in terms)
    return f"{word(name)} ({len(terms)}): {shown}" if terms else f"{word(name)}: all other terms"


def _parameters(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{word(name)} {_plain(value)}" for name, value in values.items())


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return series([_plain(item) for item in value])
    if isinstance(value, dict):
        return "(" + _parameters(value) + ")"
    return word(value) if isinstance(value, str) else str(value)


def limitations(results: Sequence[Result], evidence: pd.DataFrame, *, simulated: bool) -> list[str]:
    """What a reader should hold against the report, with counts from the rows.

    Parameters
    ----------
    results : sequence of Result
        The studies.
    evidence : DataFrame
        Evidence rows.
    simulated : bool
        Whether the data are simulated.
    """
    told = []
    if simulated:
        told.append("The data are simulated. Nothing here is a finding about patients.")
    for result in results:
        told += [limit for limit in KIND_LIMITS.get(result.study.kind, ()) if _applies(limit, result)]
        told += [*_lost(result), *_absent(result)]
    open_rows = evidence[evidence["verdict"].isin(["fail", "inconclusive"])]
    if len(open_rows):
        told.append(
            f"{len(open_rows)} of {len(evidence)} evidence rows failed or are inconclusive; see the evidence."
        )
    if evidence.empty:
        told.append("No evidence rows were given: how well the methods hold is not documented here.")
    return list(dict.fromkeys(told))


def amendments(kept: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """A sentence for every change that was made after a study's first answer.

    Parameters
    ----------
    kept : mapping
        Study name -> its amendments: ``date``, ``reason``, ``numbers_changed``, ``study_changes``.
    """
    return [
        f"{name} was amended on {entry['date']} after its answer was known: {entry['reason']} "
        f"({size(len(entry['study_changes']))} changes of the study file, "
        f"{size(entry['numbers_changed'])} numbers changed)."
        for name, entries in kept.items()
        for entry in entries
    ]


def _applies(limit: str, result: Result) -> bool:
    if result.study.kind != "phenotypes":
        return True
    return not limit.startswith("Not rejecting" if is_claim(result) else "Rejecting")


def _lost(result: Result) -> list[str]:
    steps = flow_steps(result.estimates)
    left = [f"{size(step.left)} ({step.why})" for step in steps if step.left and "other arm" not in step.why]
    return [f"{result.study.title}: left out on the way were {series(left)}."] if left else []


def _absent(result: Result) -> list[str]:
    empty = pick(result.estimates[result.estimates["absent"] != ""])
    if empty.empty:
        return []
    reasons = series([f"{reason(str(name))} ({n})" for name, n in empty["absent"].value_counts().items()])
    share = percent(len(empty) / len(result.estimates), 1)
    return [f"{result.study.title}: {len(empty)} estimates ({share}) are absent, because: {reasons}."]


def study_toml(study: Study) -> str:
    r"""A study as TOML that reads back to the same study.

    Parameters
    ----------
    study : Study
        The question.

    Examples
    --------
    >>> from myoproof.core.study import parse_study
    >>> text = 'name = "a"\ntitle = "A"\nquestion = "?"\nkind = "phenotypes"\nseed = 1\n'
    >>> study = parse_study(text + '[[features]]\nmeasure = "volume"\n')
    >>> parse_study(study_toml(study)) == study
    True
    """
    content = {
        name: value for name, value in study.model_dump(mode="json").items() if value not in (None, {}, [])
    }
    lines = [f"{name} = {_toml(value)}" for name, value in content.items() if not _is_table(value)]
    for name, value in content.items():
        if not _is_table(value):
            continue
        for table in value if isinstance(value, list) else [value]:
            head = f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            lines += [
                "",
                head,
                *(f"{_key(key)} = {_toml(item)}" for key, item in table.items() if item is not None),
            ]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
