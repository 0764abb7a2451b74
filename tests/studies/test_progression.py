"""The progression study: every row, every absence, every refusal, and the truth of simulated cohorts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.result import Result
from myoproof.core.study import Feature, Study, parse_study
from myoproof.errors import InvalidInput
from myoproof.evidence.claims import criteria
from myoproof.numerics.longitudinal import mean_contrast, welch_difference
from myoproof.numerics.multiplicity import adjust
from myoproof.numerics.samplesize import size_for_slowing
from myoproof.phantoms.mri import cohort as simulated_cohort
from myoproof.studies.progression import run

VOLUME, FAT, T2 = "volume/thigh/both", "fat_fraction/thigh/both", "muscle_t2/thigh/both"
STRENGTH, SCORE = "knee_extension_strength/knee/", "alsfrs_r/total/"
SESSIONS, DAYS = ("m00", "m06", "m12"), (0, 182, 365)
TEMPLATE = Path(__file__).parents[2] / "src/myoproof/studies/templates/als-mri-progression.toml"


def people(
    *,
    n_als: int = 20,
    n_control: int = 12,
    seed: int = 1,
    srm: float = 1.5,
    leave: int = 0,
    single: int = 0,
    mean_loss: float = 100.0,
) -> Cohort:
    """Patients lose 100 mL of 1,000 a year (SD 100 / srm), gain fat, lose strength and points with it.

    The last `leave` patients lack month 12; the first `single` patients came once.
    """
    rng = np.random.default_rng(seed)
    subjects, rows, visits = [], [], []
    for i in range(n_als + n_control):
        sick = i < n_als
        name = f"{'als' if sick else 'control'}-{i:03d}"
        subjects.append({"subject": name, "arm": "als" if sick else "control"})
        loss = rng.normal(mean_loss, 100 / srm) if sick else rng.normal(0, 5)
        start = rng.uniform(900, 1100)
        seen = 1 if i < single else 2 if sick and i >= n_als - leave else 3
        for session, day in list(zip(SESSIONS, DAYS, strict=True))[:seen]:
            years = day / 365
            visits.append({"subject": name, "session": session, "modality": "dixon", "day": day})
            values = {
                ("volume", "thigh", "both"): start - loss * years + rng.normal(0, 1),
                ("fat_fraction", "thigh", "both"): 0.10 + loss * years / 1e4 + rng.normal(0, 1e-3),
                ("muscle_t2", "thigh", "both"): 35 + rng.normal(0, 1),
                ("knee_extension_strength", "knee", ""): 1500 - 2 * loss * years + rng.normal(0, 2),
            }
            if sick:
                values["alsfrs_r", "total", ""] = float(np.clip(44 - loss * years / 10, 0, 48))
            rows += [
                {"subject": name, "session": session, "modality": "dixon" if side else "clinical"}
                | {"measure": measure, "site": site, "side": side, "value": value}
                for (measure, site, side), value in values.items()
            ]
    return make_cohort(pd.DataFrame(subjects), pd.DataFrame(visits), pd.DataFrame(rows))


def question(**changes: Any) -> Study:
    """A study of three features and two correlates, volume being primary."""
    base: dict[str, Any] = {
        "name": "a-progression",
        "title": "",
        "question": "",
        "kind": "progression",
        "cohort": {"sessions": list(SESSIONS)},
        "features": [{"measure": name} for name in ("volume", "fat_fraction", "muscle_t2")],
        "correlates": [{"measure": "knee_extension_strength"}, {"measure": "alsfrs_r"}],
        "families": {"primary": [VOLUME]},
        "method": {"bootstrap": 300, "tempo": {"measure": "alsfrs_r"}},
        "seed": 7,
    }
    return Study.model_validate({**base, **changes})


def answer(cohort: Cohort, study: Study | None = None, **more: Any) -> Result:
    study = study or question()
    return run(cohort, study, rng=np.random.default_rng(study.seed), **more)


def rows(result: Result, analysis: str, term: str = "", **where: str) -> pd.DataFrame:
    found = result.estimates[result.estimates["analysis"] == analysis]
    for column, value in {**({"term": term} if term else {}), **where}.items():
        found = found[found[column] == value]
    return found


def one(result: Result, analysis: str, term: str, **where: str) -> pd.Series:
    found = rows(result, analysis, term, **where)
    assert len(found) == 1, (analysis, term, where, len(found))
    return found.iloc[0]


@pytest.fixture(scope="module")
def plain() -> tuple[Cohort, Result]:
    cohort = people()
    return cohort, answer(cohort)


def changes_by_hand(cohort: Cohort, measure: str, arm: str) -> pd.Series:
    table = cohort.measurements[cohort.measurements["measure"] == measure]
    wide = table.pivot(index="subject", columns="session", values="value")
    wide = wide[wide.index.str.startswith(arm)]
    return (wide["m12"].fillna(wide["m06"]) - wide["m00"]).dropna()


def test_change_tests_are_those_of_the_last_minus_the_first(plain: tuple[Cohort, Result]) -> None:
    cohort, result = plain
    expected = mean_contrast(changes_by_hand(cohort, "volume", "als"))
    row = one(result, "change", VOLUME, group="als", method="paired_t")
    assert (row["value"], row["p"], row["df"]) == pytest.approx((expected.value, expected.p, 19))
    assert (row["unit"], row["flags"], row["n_subjects"]) == ("mL", "primary", 20)
    ranks = one(result, "change", VOLUME, group="als", method="wilcoxon")
    assert ranks["value"] == pytest.approx(row["value"], rel=0.2)
    assert one(result, "effect_size", VOLUME, group="als")["value"] < -0.7


def test_the_difference_between_arms_is_welchs(plain: tuple[Cohort, Result]) -> None:
    cohort, result = plain
    expected = welch_difference(
        changes_by_hand(cohort, "volume", "als"), changes_by_hand(cohort, "volume", "control")
    )
    row = one(result, "difference", VOLUME)
    assert (row["value"], row["low"], row["df"]) == pytest.approx((expected.value, expected.low, expected.df))
    assert row["group"] == "als - control"


def test_worsening_is_positive_whatever_the_direction(plain: tuple[Cohort, Result]) -> None:
    _, result = plain
    volume, fat = (one(result, "srm", term) for term in (VOLUME, FAT))
    assert one(result, "change", VOLUME, group="als", method="paired_t")["value"] < 0
    assert one(result, "change", FAT, group="als", method="paired_t")["value"] > 0
    assert volume["value"] > 0.8
    assert fat["value"] == pytest.approx(volume["value"], rel=0.05)
    assert volume["low"] < volume["value"] < volume["high"]


def test_sample_sizes_follow_from_the_srm_and_are_rounded_up(plain: tuple[Cohort, Result]) -> None:
    _, result = plain
    srm = one(result, "srm", VOLUME)
    for effect, group in ((0.25, "25%"), (0.5, "50%")):
        row = one(result, "sample_size", VOLUME, group=group)
        assert row["statistic"] == pytest.approx(size_for_slowing(srm["value"], effect))
        assert row["value"] == np.ceil(row["statistic"])
        assert row["low"] == np.ceil(size_for_slowing(srm["high"], effect))
        assert row["low"] <= row["value"] <= row["high"]


def test_a_measure_that_does_not_worsen_has_an_open_sample_size() -> None:
    result = answer(people(seed=4))
    row = one(result, "sample_size", T2, group="50%")
    srm = one(result, "srm", T2)
    assert srm["low"] < 0
    assert np.isnan(row["high"])
    assert row["absent"] == "out_of_domain" or "upper bound open" in row["method"]


def test_anova_names_its_degrees_of_freedom_and_visits(plain: tuple[Cohort, Result]) -> None:
    _, result = plain
    row = one(result, "rm_anova", VOLUME)
    assert row["method"].startswith("rm_anova_gg df=1.")
    assert row["method"].endswith("visits=m00,m06,m12")
    assert 0.3 < row["value"] < 1
    assert (row["n_subjects"], row["n_rows"]) == (20, 60)


def test_p_is_adjusted_within_the_family_and_kind_of_test(plain: tuple[Cohort, Result]) -> None:
    _, result = plain
    found = rows(result, "change", group="als", method="paired_t")
    exploratory = found[found["flags"] == "exploratory"]
    assert set(exploratory["term"]) == {FAT, T2}
    np.testing.assert_allclose(
        exploratory["p_adjusted"], adjust(exploratory["p"].to_numpy(), "benjamini_hochberg")
    )
    alone = found[found["flags"] == "primary"]
    assert alone["p_adjusted"].tolist() == alone["p"].tolist()
    correlations = rows(result, "correlation", VOLUME, method="pearson")
    np.testing.assert_allclose(correlations["p_adjusted"], adjust(correlations["p"].to_numpy(), "holm"))
    assert (result.estimates["p"].notna() == result.estimates["p_adjusted"].notna()).all()


def test_the_study_may_choose_the_procedure() -> None:
    method = {"bootstrap": 300, "adjust": {"exploratory": "holm"}}
    result = answer(people(), question(method=method))
    found = rows(result, "change", group="als", method="paired_t", flags="exploratory")
    np.testing.assert_allclose(found["p_adjusted"], adjust(found["p"].to_numpy(), "holm"))
    assert rows(result, "fast_slow").empty


def test_fast_and_slow_are_parted_at_the_median(plain: tuple[Cohort, Result]) -> None:
    _, result = plain
    row = one(result, "fast_slow", VOLUME)
    assert row["value"] < -50
    assert "fast=10 slow=10" in row["method"]


def test_the_tempo_cut_may_be_a_number() -> None:
    method = {"bootstrap": 300, "tempo": {"measure": "alsfrs_r"}, "tempo_cut": 50.0}
    row = one(answer(people(), question(method=method)), "fast_slow", VOLUME)
    assert row["absent"] == "insufficient_data"
    assert "cut=50/month fast=0 slow=20" in row["method"]


def test_correlations_use_relative_change(plain: tuple[Cohort, Result]) -> None:
    cohort, result = plain
    baseline = {
        measure: cohort.measurements.query("measure == @measure and session == 'm00'").set_index("subject")[
            "value"
        ]
        for measure in ("volume", "knee_extension_strength")
    }
    relative = [changes_by_hand(cohort, measure, "als") / baseline[measure] for measure in baseline]
    both = pd.concat(relative, axis=1).dropna()
    row = one(result, "correlation", VOLUME, group=STRENGTH, method="pearson")
    assert row["value"] == pytest.approx(both.corr().iloc[0, 1])
    absolute = question(method={"bootstrap": 300, "correlation_change": "absolute"})
    other = one(answer(cohort, absolute), "correlation", VOLUME, group=STRENGTH, method="pearson")
    plainly = pd.concat([changes_by_hand(cohort, measure, "als") for measure in baseline], axis=1).dropna()
    assert other["value"] == pytest.approx(plainly.corr().iloc[0, 1])


def test_selection_is_shared_out_and_judged_out_of_bag(plain: tuple[Cohort, Result]) -> None:
    _, result = plain
    shares = rows(result, "selection", group="")
    assert shares["value"].sum() == pytest.approx(1.0)
    assert set(shares["term"]) == {VOLUME, FAT, T2, STRENGTH, SCORE}
    honest = rows(result, "selection", group="honest")
    assert honest["term"].tolist() == ["srm", "n per arm, 25% effect", "n per arm, 50% effect"]
    assert honest["value"].iloc[2] == np.ceil(size_for_slowing(honest["value"].iloc[0], 0.5))


def test_nobody_is_dropped_silently() -> None:
    result = answer(people(leave=3, single=2))
    steps = dict(zip(rows(result, "flow")["term"], rows(result, "flow")["value"], strict=True))
    assert steps["in the cohort"] == 32
    assert steps["in arm als"] == 20
    assert steps["measured again later"] == 18
    assert steps["at every visit"] == 15
    assert rows(result, "flow")["value"].is_monotonic_decreasing
    change = result.predictions[result.predictions["target"] == f"change:{VOLUME}"].set_index("subject")
    assert len(change) == 32
    assert change.loc[["als-000", "als-001"], "absent"].tolist() == ["single_visit", "single_visit"]
    assert change.loc["als-019", "day"] == 182
    assert one(result, "change", VOLUME, group="als", method="paired_t")["n_subjects"] == 18
    assert one(result, "rm_anova", VOLUME)["n_subjects"] == 15
    mixed = one(result, "mixed_model", VOLUME, group="als")
    assert (mixed["n_subjects"], mixed["n_rows"]) == (20, 15 * 3 + 3 * 2 + 2)


def test_what_was_never_measured_is_absent_with_its_reason(plain: tuple[Cohort, Result]) -> None:
    _, result = plain
    absent = rows(result, "change", SCORE, group="control")
    assert set(absent["absent"]) == {"not_measured"}
    assert absent["value"].isna().all()
    assert one(result, "difference", SCORE)["absent"] == "not_measured"


def test_too_few_with_change_gives_absent_rows_not_an_error() -> None:
    result = answer(people(n_als=6, single=3))
    assert one(result, "change", VOLUME, group="als", method="paired_t")["absent"] == "insufficient_data"
    assert one(result, "srm", VOLUME)["absent"] == "insufficient_data"
    assert one(result, "mixed_model", VOLUME, group="als")["absent"] == "insufficient_data"
    assert rows(result, "selection")["absent"].tolist() == ["insufficient_data"]


def test_a_failed_row_counts_as_not_measured() -> None:
    cohort = people()
    table = cohort.measurements.copy()
    spoilt = (table["subject"] == "als-000") & (table["measure"] == "volume") & (table["session"] != "m00")
    table.loc[spoilt, "quality"] = "fail"
    result = answer(replace(cohort, measurements=table))
    assert one(result, "change", VOLUME, group="als", method="paired_t")["n_subjects"] == 19
    assert one(result, "change", FAT, group="als", method="paired_t")["n_subjects"] == 20


def test_annual_change_uses_each_subjects_own_time() -> None:
    result = answer(people(leave=8, srm=8.0))
    plain_row = one(result, "change", VOLUME, group="als", method="paired_t")
    annual = one(result, "change", VOLUME, group="als", method="paired_t_annualised")
    assert annual["unit"] == "mL/a"
    assert annual["value"] == pytest.approx(-100, abs=8)
    assert plain_row["value"] > annual["value"] + 10


def test_without_days_only_what_needs_days_is_absent() -> None:
    cohort = people()
    result = answer(replace(cohort, acquisitions=cohort.acquisitions.assign(day=np.nan)))
    assert one(result, "change", VOLUME, group="als", method="paired_t")["n_subjects"] == 20
    assert one(result, "change", VOLUME, group="als", method="paired_t_annualised")["absent"] != ""
    assert one(result, "mixed_model", VOLUME, group="als")["absent"] != ""


def test_sessions_are_ordered_by_day_where_the_study_does_not_list_them() -> None:
    listed, found = answer(people()), answer(people(), question(cohort={}))
    columns = ["analysis", "term", "group", "value"]
    pd.testing.assert_frame_equal(
        rows(found, "change")[columns].reset_index(drop=True),
        rows(listed, "change")[columns].reset_index(drop=True),
    )


def test_there_need_be_no_controls() -> None:
    cohort = people()
    alone = answer(cohort, question(cohort={"arm": ["als"]}, method={"bootstrap": 300, "controls": ""}))
    assert rows(alone, "difference").empty
    assert rows(alone, "flow_control").empty
    assert set(alone.predictions["candidate"]) == {"als"}


def test_order_of_rows_threads_and_reruns_change_nothing(plain: tuple[Cohort, Result]) -> None:
    cohort, result = plain
    shuffled = Cohort(
        *(
            getattr(cohort, name).sample(frac=1, random_state=3).reset_index(drop=True)
            for name in ("subjects", "acquisitions", "measurements", "events", "covariates")
        )
    )
    heard: list[float] = []
    again = answer(shuffled, threads=2, progress=lambda _, done: heard.append(done))
    key = ["analysis", "term", "group", "method", "day"]
    frames = [
        r.estimates[r.estimates["analysis"] != "selection"].sort_values(key).reset_index(drop=True)
        for r in (result, again)
    ]
    pd.testing.assert_frame_equal(*frames, rtol=1e-7)
    pd.testing.assert_frame_equal(answer(cohort).estimates, result.estimates)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_inputs_stay_as_they_were(plain: tuple[Cohort, Result]) -> None:
    cohort, fresh = plain[0], people()
    pd.testing.assert_frame_equal(cohort.measurements, fresh.measurements)
    pd.testing.assert_frame_equal(cohort.acquisitions, fresh.acquisitions)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": [{"measure": "volumee"}]}, "did you mean 'volume'"),
        ({"features": [{"measure": "echogenicity"}]}, "no rows for feature echogenicity"),
        ({"features": [{"measure": "volume", "site": "thig"}]}, "did you mean 'thigh'"),
        ({"correlates": [{"measure": "volume"}]}, "feature and also outcome or correlate"),
        ({"outcome": {"measure": "fat_fraction"}}, "feature and also outcome or correlate"),
        ({"families": {"primary": ["volume/thigh/bot"]}}, "did you mean 'volume/thigh/both'"),
        ({"families": {"primary": [VOLUME], "other": [VOLUME]}}, "in the families primary and other"),
        ({"method": {"bootstrapp": 300}}, "did you mean 'bootstrap'"),
        ({"method": {"patients": "asl"}}, "did you mean 'als'"),
        ({"method": {"baseline": "m01"}}, "no rows at the baseline session"),
        ({"cohort": {"sessions": ["m-1", "m00", "m12"]}}, "no rows at the baseline session 'm-1'"),
        ({"method": {"adjust": {"primery": "holm"}}}, "did you mean 'primary'"),
        ({"method": {"tempo": {"measure": "grip_strength"}}}, "name one of the correlates"),
        ({"method": {"minimum_subjects": 21}}, "at least 21 are needed"),
        ({"cohort": {"sessions": ["m00"]}}, "no change can be measured"),
        ({"cohort": {"arm": ["als"]}}, "no subject has arm 'control'"),
        ({"method": {"level": 95.0}}, "level"),
    ],
)
def test_faulty_studies_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        answer(people(), question(**changes))
    assert caught.value.where


def test_several_rows_for_one_visit_are_refused() -> None:
    cohort = people()
    again = cohort.measurements.assign(method="second reader")
    both = replace(cohort, measurements=pd.concat([cohort.measurements, again], ignore_index=True))
    with pytest.raises(InvalidInput, match=r"several rows.*name the method"):
        answer(both)
    rerun = cohort.measurements.assign(run="2")
    both = replace(cohort, measurements=pd.concat([cohort.measurements, rerun], ignore_index=True))
    with pytest.raises(InvalidInput, match="keep one run"):
        answer(both)


def test_all_faults_are_told_together() -> None:
    study = question(features=[{"measure": "volumee"}, {"measure": "echogenicity"}])
    with pytest.raises(InvalidInput, match="2 faults"):
        answer(people(), study)


def test_a_large_cohort_gives_back_its_truth() -> None:
    """Truth: 100 mL lost a year with SD 100 / 1.05; a tenth of it in points; T2 without change."""
    method = {"bootstrap": 200, "tempo": {"measure": "alsfrs_r"}}
    result = answer(people(n_als=500, n_control=200, srm=1.05, seed=9), question(method=method))
    assert one(result, "srm", VOLUME)["value"] == pytest.approx(1.05, abs=0.15)
    assert one(result, "mixed_model", VOLUME, group="als")["value"] == pytest.approx(-100, abs=13)
    assert one(result, "difference", VOLUME)["value"] == pytest.approx(-100, abs=13)
    assert one(result, "sample_size", VOLUME, group="50%")["value"] == pytest.approx(59, abs=18)
    assert abs(one(result, "srm", T2)["value"]) < 0.13
    assert one(result, "correlation", VOLUME, group=STRENGTH, method="pearson")["value"] > 0.95


@pytest.fixture(scope="module")
def template() -> tuple[Study, Result]:
    study = parse_study(TEMPLATE.read_text(encoding="utf-8"), where=TEMPLATE.name)
    cohort = simulated_cohort(rng=np.random.default_rng(20260101))
    return study, run(cohort, study, rng=np.random.default_rng(study.seed))


def test_the_template_runs_on_the_simulated_cohort(template: tuple[Study, Result]) -> None:
    study, result = template
    assert result.simulated
    assert criteria(study)
    assert set(result.estimates["analysis"]) == {
        "flow", "flow_control", "level", "change", "effect_size", "rm_anova", "mixed_model", "difference", "srm",
        "sample_size", "selection", "fast_slow", "correlation",
    }  # fmt: skip
    primary = rows(result, "change", group="als", method="paired_t", flags="primary")
    assert sorted(primary["term"]) == sorted(study.families["primary"])
    assert (primary["p_adjusted"] < 0.05).all()
    assert rows(result, "change", VOLUME, group="control", method="paired_t")["p"].iloc[0] > 0.05


def test_the_simulated_cohort_looks_as_published(template: tuple[Study, Result]) -> None:
    """Klickovic 2025: partial eta squared 0.54-0.56 of thigh and calf; 17 completers make it vary widely."""
    _, result = template
    for term in (VOLUME, "volume/calf/both"):
        assert 0.35 < one(result, "rm_anova", term)["value"] < 0.80
    steps = rows(result, "flow").set_index("term")["value"]
    assert steps["in arm als"] == 20
    assert 14 <= steps["at every visit"] <= 20


def test_bare_numbers_are_finite_or_absent(template: tuple[Study, Result]) -> None:
    _, result = template
    numbers = result.estimates.select_dtypes("number")
    assert not np.isinf(numbers.to_numpy()).any()
    bare = result.estimates["value"].isna() & (result.estimates["absent"] == "")
    assert not bare.any()


def test_features_may_share_a_measure_across_sites() -> None:
    cohort = simulated_cohort(rng=np.random.default_rng(2))
    study = question(
        features=[Feature(measure="volume", site=["thigh", "calf"], side="both").model_dump()],
        correlates=[],
        families={},
        method={"bootstrap": 200},
        cohort={"arm": ["als", "control"]},
    )
    found = rows(answer(cohort, study), "srm")
    assert sorted(found["term"]) == ["volume/calf/both", "volume/thigh/both"]


@pytest.mark.slow
def test_a_cohort_without_change_seldom_convinces() -> None:
    """Family-wise error of the primary family (Holm, two independent measures) and coverage of a null SRM."""
    study = question(
        features=[{"measure": "volume"}, {"measure": "muscle_t2"}],
        correlates=[],
        families={"primary": [VOLUME, T2]},
        method={"bootstrap": 400},
    )
    wrong, covered, repeats = 0, 0, 300
    for seed in range(repeats):
        result = answer(people(n_als=17, n_control=6, mean_loss=0.0, seed=seed), study)
        wrong += (rows(result, "change", group="als", method="paired_t")["p_adjusted"] <= 0.05).any()
        srm = one(result, "srm", VOLUME)
        covered += srm["low"] <= 0 <= srm["high"]
    assert wrong / repeats <= 0.05 + 0.035
    assert 0.92 <= covered / repeats <= 0.99
