"""The design study on pilots made by hand, on the simulated MRI cohort, and under the null."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.result import Result
from myoproof.core.study import Study, parse_study
from myoproof.errors import InvalidInput
from myoproof.numerics.power import Aim, t_size
from myoproof.numerics.power_repeated import edland_size
from myoproof.studies.design import run
from myoproof.studies.design_count import fit_slopes, retention_of, standardised_effects, visit_years
from myoproof.studies.design_null import null
from myoproof.studies.design_pilot import Parameters, make_pilot
from myoproof.workflow.templates import simulate, template

SITES = ("thigh", "calf", "hand")
STUDY = """
name = "pilot"
title = "A pilot"
question = "How many?"
kind = "design"
seed = 1

[cohort]
sessions = ["m00", "m06", "m12"]

[[features]]
measure = "fat_fraction"
site = ["thigh", "calf", "hand"]
side = "both"

[method]
bootstrap = 200
bootstrap_models = 50
trials = 400
"""


def pilot(n: int = 30, *, seed: int = 5, slope: float = 0.02, leaving: float = 0.0) -> Cohort:
    """Fat fraction at three sites, rising by personal slopes (SD 0.015 a year), residual SD 0.004."""
    rng = np.random.default_rng(seed)
    names = [f"p{place:02d}" for place in range(n)]
    age = rng.normal(60, 10, n)
    rates = slope + 0.01 * (age - 60) / 10 + rng.normal(0, math.sqrt(0.015**2 - 0.01**2), n)
    rows, visits = [], []
    for place, name in enumerate(names):
        stay = 3 - int(rng.random() < leaving)
        for visit, session in enumerate(("m00", "m06", "m12")[:stay]):
            day = round(365.25 * visit / 2)
            visits.append({"subject": name, "session": session, "modality": "dixon", "day": day})
            for factor, site in zip((1.0, 0.7, 0.4), SITES, strict=True):
                value = 0.2 + factor * rates[place] * day / 365.25 + rng.normal(0, 0.004)
                rows.append({"subject": name, "session": session, "site": site, "value": value})
    table = pd.DataFrame(rows).assign(modality="dixon", measure="fat_fraction", side="both", method="dixon")
    people = pd.DataFrame({"subject": names, "arm": "als", "age_years": age, "sex": "female"})
    return make_cohort(people, pd.DataFrame(visits), table)


def study(*lines: str) -> Study:
    """The study with further lines of its method."""
    return parse_study(STUDY + "\n".join(lines) + "\n")


def asked(cohort: Cohort, *lines: str) -> Result:
    return run(cohort, study(*lines), rng=np.random.default_rng(1))


def value(result: Result, column: str = "value", **where: str) -> float:
    rows = result.estimates
    for name, wanted in where.items():
        rows = rows[rows[name] == wanted]
    assert len(rows) == 1, (where, len(rows))
    return float(rows[column].iloc[0])


THIGH = {"term": "fat_fraction/thigh/both", "group": "50%"}


@pytest.fixture(scope="module")
def result() -> Result:
    return asked(pilot())


def test_the_t_test_row_is_that_of_the_changes(result: Result) -> None:
    held = pilot().measurements
    wide = held[held["site"] == "thigh"].pivot(index="subject", columns="session", values="value")
    change = wide["m12"] - wide["m00"]
    srm = change.mean() / change.std(ddof=1)
    exact = t_size(0.5 * srm).control
    assert value(result, "statistic", analysis="sample_size", method="t_test", **THIGH) == pytest.approx(
        exact
    )
    assert value(result, analysis="sample_size", method="t_test", **THIGH) == math.ceil(exact)
    both = 2 * math.ceil(exact / (1 - 0.15))
    assert value(result, analysis="randomise", method="t_test", **THIGH) == both


def test_the_pilot_tells_whether_anything_changed(result: Result) -> None:
    held = pilot().measurements
    wide = held[held["site"] == "thigh"].pivot(index="subject", columns="session", values="value")
    p = stats.ttest_rel(wide["m12"], wide["m00"]).pvalue
    assert value(result, "p", analysis="pilot", method="t_test", term=THIGH["term"]) == pytest.approx(p)


def test_random_slopes_follow_edland(result: Result) -> None:
    course = make_pilot(pilot(), study(), Parameters()).courses[0]
    slopes = fit_slopes(course)
    years = np.array([0.0, 183 / 365.25, 365 / 365.25])
    n = edland_size(0.5 * slopes.slope, years, slopes.slope_sd**2, slopes.residual_sd**2).control
    found = value(result, "statistic", analysis="sample_size", method="edland", **THIGH)
    assert found == pytest.approx(n, rel=1e-3)
    assert slopes.slope == pytest.approx(0.02, abs=0.006)


def test_all_methods_agree_on_complete_balanced_data(result: Result) -> None:
    rows = result.estimates
    rows = rows[
        (rows["analysis"] == "sample_size") & (rows["term"] == THIGH["term"]) & (rows["group"] == "50%")
    ]
    exact = rows.set_index("method")["statistic"]
    assert set(exact.index) == {"t_test", "t_test_shrunken", "edland", "diggle", "mmrm"}
    assert exact[["edland", "diggle"]].between(0.8 * exact["t_test"], 1.1 * exact["t_test"]).all()
    assert exact["mmrm"] > exact["t_test"]  # drop-out is within


def test_every_size_has_its_interval_around_it(result: Result) -> None:
    rows = result.estimates
    rows = rows[(rows["analysis"] == "sample_size") & rows["value"].notna()]
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["high"].isna() | (rows["value"] <= rows["high"])).all()
    assert (rows.loc[rows["high"].isna(), "flags"] == "upper_bound_open").all()


def test_a_smaller_pilot_is_less_sure() -> None:
    widths = []
    for n in (12, 60):
        found = asked(pilot(n), "modelled = []", 'methods = ["t_test"]')
        low, high = (
            value(found, end, analysis="pilot", method="t_test", term=THIGH["term"])
            for end in ("low", "high")
        )
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1]


def test_longer_trials_and_larger_effects_need_fewer(result: Result) -> None:
    rows = result.estimates
    curve = rows[(rows["analysis"] == "curve") & (rows["term"] == THIGH["term"])]
    for _, own in curve.groupby(["group", "method"]):
        assert (np.diff(own.sort_values("day")["statistic"]) < 0).all()
    sizes = curve.pivot_table(index=["method", "day"], columns="group", values="statistic")
    assert (sizes["50%"] < sizes["30%"]).all()


def test_allocation_sides_and_power_are_taken_from_the_file() -> None:
    found = asked(pilot(), "ratio = 2.0", "sides = 1", "power = 0.9", 'methods = ["t_test"]')
    srm = value(found, analysis="pilot", method="t_test", term=THIGH["term"])
    exact = t_size(0.5 * srm, Aim(power=0.9, sides=1, ratio=2.0))
    assert value(found, "statistic", analysis="sample_size", method="t_test", **THIGH) == pytest.approx(
        exact.control
    )


def test_entry_rules_are_counted_among_those_let_in() -> None:
    rule = (
        "[[method.enrichment]]",
        'name = "high"',
        'feature = { measure = "fat_fraction", site = "thigh", side = "both" }',
        "at_least = 0.2",
    )
    found = asked(pilot(60), *rule)
    share = value(found, analysis="enrichment_share", term=THIGH["term"], method="high")
    assert 0.3 < share < 0.7
    n = value(found, "n_subjects", analysis="enrichment", method="high", **THIGH)
    assert n == pytest.approx(60 * share)
    few = asked(pilot(), *rule[:3], "at_least = 0.5")
    row = few.estimates[
        (few.estimates["analysis"] == "enrichment") & (few.estimates["term"] == THIGH["term"])
    ]
    assert row["absent"].tolist() == ["insufficient_data"]


def test_prognosis_saves_what_left_out_patients_bear_out() -> None:
    lines = ("[method.prognostic]", 'covariates = ["age_years"]', "baseline = false")
    found = asked(pilot(80), *lines)
    r = value(found, analysis="prognostic", method="r left out", term=THIGH["term"])
    assert r == pytest.approx(2 / 3, abs=0.15)
    plain = value(found, "statistic", analysis="sample_size", method="t_test", **THIGH)
    less = value(found, "statistic", analysis="sample_size_adjusted", **THIGH)
    assert less == pytest.approx(plain * (1 - r**2))


def test_prognosis_is_refused_where_r_dropped_or_never_was() -> None:
    noise = pilot(40)
    rng = np.random.default_rng(3)
    people = noise.subjects.assign(age_years=rng.normal(60, 10, 40))
    shuffled = Cohort(people, noise.acquisitions, noise.measurements, noise.events, noise.covariates)
    lines = ("[method.prognostic]", 'covariates = ["age_years"]', "baseline = false", "r = 0.7")
    found = asked(shuffled, *lines)
    rows = found.estimates[found.estimates["analysis"] == "sample_size_adjusted"]
    assert (rows["flags"] == "prognosis_refused").all()
    assert rows["value"].isna().all()


def test_what_does_not_worsen_has_no_size_and_says_so() -> None:
    found = asked(pilot(30, slope=-0.02))
    rows = found.estimates[
        (found.estimates["analysis"] == "sample_size") & (found.estimates["method"] == "t_test")
    ]
    assert (rows["absent"] == "out_of_domain").all()


def test_drop_out_keeps_rows_and_the_flow_counts_it() -> None:
    found = asked(pilot(40, leaving=0.4))
    flow = found.estimates[found.estimates["analysis"] == "flow"].set_index("term")["value"]
    assert flow["measured at baseline (m00)"] == 40
    stayed = flow["at the last visit (m12)"]
    assert 15 < stayed < 35
    assert value(found, "n_subjects", analysis="sample_size", method="t_test", **THIGH) == stayed
    assert value(found, "n_subjects", analysis="sample_size", method="mmrm", **THIGH) == 40


def test_fewer_than_five_patients_leave_absent_rows() -> None:
    found = asked(pilot(4))
    rows = found.estimates[found.estimates["analysis"].isin(["pilot", "sample_size"])]
    assert rows["value"].isna().all()
    assert (rows["absent"] == "insufficient_data").any()


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (['patients = "fshd"'], "no subject has arm 'fshd'"),
        (['modelled = ["fat_fraction/thigh/left"]'], "no feature 'fat_fraction/thigh/left'"),
        (["retention = [0.9]"], "retention needs 2 shares"),
        (["retention = [0.8, 0.9]"], "never rising"),
        (["dropuot = 0.1"], "did you mean 'dropout'"),
        (["effects = [1.5]"], "effects"),
        (["[method.prognostic]", 'covariates = ["agee"]'], "no column 'agee'"),
        (["[method.prognostic]", 'covariates = ["sex"]'], "sex holds no numbers"),
    ],
)
def test_what_cannot_be_planned_is_named(lines: list[str], what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        asked(pilot(), *lines)


def test_one_visit_and_visits_without_days_are_named() -> None:
    held = pilot()
    text = STUDY.replace('sessions = ["m00", "m06", "m12"]', 'sessions = ["m00"]')
    with pytest.raises(InvalidInput, match="no change can be measured in one session"):
        run(held, parse_study(text), rng=np.random.default_rng(1))
    undated = Cohort(
        held.subjects,
        held.acquisitions.assign(day=held.acquisitions["day"].mask(held.acquisitions["session"] == "m12")),
        held.measurements,
        held.events,
        held.covariates,
    )
    with pytest.raises(InvalidInput, match="no visit of m12 has a day"):
        asked(undated)


def test_same_seed_same_rows_at_any_number_of_threads() -> None:
    held = pilot(20)
    one = run(held, study(), rng=np.random.default_rng(7))
    other = run(held, study(), rng=np.random.default_rng(7), threads=4)
    pd.testing.assert_frame_equal(one.estimates, other.estimates)


def test_the_null_has_nothing_to_slow() -> None:
    drawn = null(pilot(60), study())
    cohort, same = drawn.draw(np.random.default_rng(2))
    found = run(cohort, same, rng=np.random.default_rng(1))
    rows = found.estimates
    srms = rows[(rows["analysis"] == "pilot") & (rows["method"] == "t_test")]["value"]
    assert (srms.abs() < 0.45).all()
    sizes = rows[(rows["analysis"] == "sample_size") & (rows["method"] == "t_test")]
    assert (sizes["absent"].ne("") | sizes["flags"].eq("upper_bound_open")).all()


def test_visits_are_spaced_evenly_and_retention_falls_straight() -> None:
    np.testing.assert_allclose(visit_years(12, 3), np.arange(5) / 4)
    held = make_pilot(pilot(), study(), Parameters(dropout=0.2))
    assert retention_of(Parameters(dropout=0.2), held) == pytest.approx([0.9, 0.8], abs=0.001)


def test_moment_effects_of_a_known_covariance() -> None:
    rng = np.random.default_rng(1)
    years = np.array([0.0, 0.5, 1.0])
    values = years * rng.normal(1.0, 0.5, (20_000, 1)) + rng.normal(0, 0.2, (20_000, 3))
    found = standardised_effects(values, years, [1.0, 1.0])
    slopes = 1 / math.sqrt(0.25 + 0.04 / 0.5)
    np.testing.assert_allclose(found[:2], slopes, rtol=0.02)
    assert found[2] == pytest.approx(1 / math.sqrt(0.25 + 0.08), rel=0.02)


@pytest.mark.slow
def test_the_template_runs_and_its_pilot_of_17_is_unsure() -> None:
    ready = parse_study(template("als-mri-design").text)
    found = run(simulate("als-mri-design"), ready, rng=np.random.default_rng(ready.seed))
    rows = found.estimates
    main = rows[(rows["analysis"] == "sample_size") & (rows["method"] == "t_test") & (rows["group"] == "50%")]
    thigh = main[main["term"] == "volume/thigh/both"].iloc[0]
    assert thigh["n_subjects"] == 17
    assert thigh["high"] > 2 * thigh["low"]
