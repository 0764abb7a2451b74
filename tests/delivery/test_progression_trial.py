"""A trial in the report: what it says, which figures it draws, and what stands in its tables."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.core.result import Result
from myoproof.core.study import Study, parse_study
from myoproof.delivery import methods, progression
from myoproof.delivery.page import Section
from myoproof.phantoms.trial import TrialParams, cohort
from myoproof.studies.progression import run

TEMPLATE = Path(__file__).parents[2] / "src/myoproof/studies/templates/als-trial-mmrm.toml"


@pytest.fixture(scope="module")
def result() -> Result:
    content = parse_study(TEMPLATE.read_text(encoding="utf-8")).model_dump()
    content["method"]["sensitivity"]["imputations"] = 20
    content["features"] = content["features"][:1]
    trial = cohort(rng=np.random.default_rng(3), params=TrialParams(per_arm=40))
    return run(trial, Study.model_validate(content), rng=np.random.default_rng(1))


def said(section: Section) -> dict[str, str]:
    return {one.lead: one.text for one in section.statements}


def test_it_says_what_is_estimated_and_what_came_out(result: Result) -> None:
    told = said(progression.section(result, key="t"))
    assert told["Cohort"].startswith("Active n\u00a0=\u00a040, ")
    assert (
        "Intercurrent events: treatment stop by treatment policy and death by composite" in told["Estimand"]
    )
    last = result.estimates[
        (result.estimates["analysis"] == "contrast") & (result.estimates["method"] == "m12")
    ]
    effect = told["ALSFRS-R, whole body at m12"]
    assert effect.startswith("active − placebo: ")
    assert f"{last['value'].iloc[0]:.2f}" in effect
    assert "mean change: active −" in effect
    assert told["Model"].startswith(
        "Mixed model for repeated measures of the change, with baseline by visit; "
    )
    assert "Kenward–Roger" in told["Model"]
    assert "jump to reference" in told["Drop-out otherwise"]
    assert "death before value" in told["Death as the worst outcome"]
    assert "Most responsive measure" not in told


def test_it_draws_means_contrasts_and_every_subject(result: Result) -> None:
    section = progression.section(result, key="t")
    keys = [drawing.key for drawing in section.drawings]
    assert keys == ["t-flow", "t-flow-control", "t-means", "t-contrasts", "t-subjects"]
    assert "at the last visit" in section.drawings[2].alt
    assert "jump to reference" in section.drawings[3].alt
    assert "median" in section.drawings[4].alt
    grids = {grid.key for grid in section.grids}
    assert grids >= {"t-contrasts", "t-means"}


def test_what_was_found_stands_in_a_table(result: Result) -> None:
    found = {"analysis": "finding", "method": "few_in_cell", "group": "placebo at m12: 3", "value": 3.0}
    more = pd.concat([result.estimates, pd.DataFrame([found])], ignore_index=True)
    more = more.assign(**{name: more[name].fillna("") for name in ("term", "unit", "absent", "flags")})
    section = progression.section(replace(result, estimates=more), key="t")
    assert "visits with too few values in one arm" in said(section)["Found in the data"].lower()
    grid = next(one for one in section.grids if one.key == "t-findings")
    assert "placebo at m12: 3" in [cell.text for cell in grid.columns[1].cells]


def test_no_model_is_said_so(result: Result) -> None:
    rows = result.estimates.copy()
    gone = rows["analysis"].isin(["ls_mean", "contrast_joint", "sensitivity", "tipping_point", "composite"])
    rows = rows[~gone]
    fit = rows["analysis"] == "mmrm_fit"
    rows.loc[fit, ["absent", "flags"]] = ["not_converged", "singular_covariance"]
    lost = rows["analysis"] == "contrast"
    rows.loc[lost, "absent"] = "not_converged"
    rows.loc[lost, ["value", "p", "p_adjusted", "low", "high"]] = np.nan
    section = progression.section(replace(result, estimates=rows), key="t")
    told = said(section)
    assert told["Model"].startswith("No covariance structure could be fitted")
    assert "singular covariance" in told["Model"]
    assert (
        told["ALSFRS-R, whole body at m12"] == "No contrast could be estimated: the model did not converge."
    )


def test_the_methods_name_model_estimand_and_versions(result: Result) -> None:
    told = dict(methods.methods(result.study, {"myoproof": "0.1", "numpy": "2"}))
    assert told["Analysis"].startswith("Change from baseline was compared between the arms at every visit")
    assert "SAS PROC MIXED" in told["Analysis"]
    assert (
        "population: adults with ALS" in told["Estimand"].lower() or "Population: adults" in told["Estimand"]
    )
    assert "myoproof 0.1" in told["Software"]
    assert "kenward roger" in told["Parameters"]
