"""Harmonisation of rows: sites out, biology kept, new subjects, refusals, and the model as JSON."""

import json

import numpy as np
import pandas as pd
import pytest

from myoproof.core.cohort import Cohort, make_cohort, subset
from myoproof.errors import InvalidInput, NotReadable
from myoproof.evidence import harmonisation
from myoproof.measures.harmonise import Params, derive, learn_sites, matched_scans, take_out
from myoproof.measures.harmonise_model import from_json, to_json
from myoproof.numerics.combat import Settings

SITES = ("rectus_femoris", "vastus_lateralis", "vastus_medialis", "sartorius", "gracilis")


def cohort(
    *,
    n: int = 40,
    sick: dict[str, float] | None = None,
    measure: str = "volume",
    visits: int = 1,
    seed: int = 0,
) -> Cohort:
    """Three centres of n, volumes 300 mL + centre + 20 (patients) + age + noise; centre c also doubles the spread."""
    rng = np.random.default_rng(seed)
    share = sick or {"a": 0.4, "b": 0.5, "c": 0.6}
    people, acquisitions, rows = [], [], []
    shift = {"a": 0.0, "b": 30.0, "c": -25.0}
    for centre, chance in share.items():
        for k in range(n):
            name = f"{centre}{k:03d}"
            ill = bool(k < round(chance * n))
            age = float(rng.normal(60, 10))
            people.append(
                {"subject": name, "age_years": age, "sex": "female" if k % 2 else "male", "centre": centre,
                 "diagnosis": "ALS" if ill else "healthy", "arm": "als" if ill else "control"}
            )  # fmt: skip
            for visit in range(visits):
                session = f"m{6 * visit:02d}"
                acquisitions.append(
                    {"subject": name, "session": session, "modality": "dixon", "day": 183.0 * visit,
                     "centre": centre, "device": f"scanner-{centre}"}
                )  # fmt: skip
                spread = 24.0 if centre == "c" else 12.0
                for site in SITES:
                    value = (
                        300 + shift[centre] + 20 * ill + 0.5 * (age - 60) - 10 * visit + rng.normal(0, spread)
                    )
                    if measure == "fat_fraction":
                        value = max(0.0, (value - 250) / 1000)
                    rows.append(
                        {"subject": name, "session": session, "modality": "dixon", "site": site, "side": "both",
                         "measure": measure, "method": "dixon", "value": value, "low": value * 0.98,
                         "high": value * 1.02, "level": 0.95}
                    )  # fmt: skip
    return make_cohort(pd.DataFrame(people), pd.DataFrame(acquisitions), pd.DataFrame(rows))


KEEP = Params(preserve=("age_years", "diagnosis"))


def means(rows: pd.DataFrame, held: Cohort) -> pd.DataFrame:
    people = held.subjects.set_index("subject")
    return rows.assign(
        centre=rows["subject"].map(people["centre"]), diagnosis=rows["subject"].map(people["diagnosis"])
    ).pivot_table(index="centre", columns="diagnosis", values="value")


def test_centres_come_together_and_the_diagnosis_stays() -> None:
    held = cohort(n=80)
    before = held.measurements.copy()
    even = derive(held.measurements, held, params=KEEP)
    pd.testing.assert_frame_equal(held.measurements, before)
    table = means(even, held)
    assert np.ptp(means(held.measurements, held).to_numpy(), axis=0).min() > 40
    assert np.ptp(table.to_numpy(), axis=0).max() < 9
    assert (table["ALS"] - table["healthy"]).mean() == pytest.approx(20, abs=4)
    assert set(even["method"]) == {"dixon:combat"}
    assert set(even["flags"]) == {"harmonised"}
    assert (even["low"] < even["value"]).all()
    assert (even["value"] < even["high"]).all()


def test_intervals_are_scaled_with_their_values() -> None:
    held = cohort()
    even = derive(held.measurements, held, params=KEEP)
    key = ["subject", "site"]
    both = held.measurements.merge(even, on=key, suffixes=("", "_even"))
    width = (both["high_even"] - both["low_even"]) / (both["high"] - both["low"])
    centre = both["subject"].str[0]
    assert width[centre == "c"].max() < 0.8
    assert width[centre == "a"].min() > 1.0


def test_later_visits_and_new_subjects_are_taken_along_unlearnt() -> None:
    held = cohort(visits=2)
    people = held.subjects["subject"]
    train = subset(held, list(people[people.str[1:].astype(int) % 2 == 0]))
    model, remarks = learn_sites(train.measurements, train, params=KEEP)
    assert remarks == []
    assert model.panels[0].combat.counts.tolist() == [20, 20, 20]
    even, _ = take_out(held.measurements, held, model)
    assert len(even) == len(held.measurements)
    wide = even.pivot_table(index="subject", columns="session", values="value")
    assert (wide["m06"] - wide["m00"]).mean() == pytest.approx(-10, abs=2)
    alone, _ = take_out(train.measurements, train, model)
    both = even.merge(alone, on=["subject", "session", "site"], suffixes=("", "_alone"))
    np.testing.assert_allclose(both["value"], both["value_alone"], rtol=1e-12)


def test_model_as_json_gives_the_same_rows() -> None:
    held = cohort()
    model, _ = learn_sites(held.measurements, held, params=KEEP)
    text = to_json(model)
    again = from_json(text)
    assert to_json(again) == text
    one, two = (take_out(held.measurements, held, each)[0] for each in (model, again))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda content: content.update(kind="other"), "model of other"),
        (lambda content: content["panels"][0]["level"].pop(), "do not fit together"),
        (lambda content: content["panels"][0]["scale"][0].__setitem__(0, -1.0), "cannot be"),
        (lambda content: content.update(extra=1), "unknown key 'extra'"),
    ],
)
def test_damaged_models_are_refused(change: object, word: str) -> None:
    held = cohort()
    content = json.loads(to_json(learn_sites(held.measurements, held, params=KEEP)[0]))
    change(content)  # type: ignore[operator]
    with pytest.raises(InvalidInput, match=word):
        from_json(json.dumps(content))
    with pytest.raises(NotReadable, match="no JSON"):
        from_json("{")


def test_sites_that_are_the_diagnosis_are_refused_kept_or_not() -> None:
    held = cohort(sick={"a": 0.0, "b": 0.0, "c": 1.0})
    for params in (Params(), KEEP):
        with pytest.raises(InvalidInput, match=r"confounded with the sites"):
            learn_sites(held.measurements, held, params=params)


def test_unbalanced_diagnosis_must_be_kept_or_allowed() -> None:
    held = cohort(sick={"a": 0.2, "b": 0.5, "c": 0.8})
    with pytest.raises(InvalidInput, match="diagnosis differs between the sites"):
        learn_sites(held.measurements, held)
    _, remarks = learn_sites(held.measurements, held, params=Params(allow_unbalanced=True))
    assert {remark.category for remark in remarks} == {"unbalanced"}
    _, remarks = learn_sites(held.measurements, held, params=Params(preserve=("diagnosis",)))
    assert remarks == []


def test_site_with_one_group_is_told() -> None:
    held = cohort(sick={"a": 0.4, "b": 0.5, "c": 1.0})
    _, remarks = learn_sites(
        held.measurements, held, params=Params(preserve=("diagnosis",), guard=("diagnosis",))
    )
    assert {remark.category for remark in remarks} == {"one_group_site"}


def test_unseen_site_is_refused() -> None:
    held = cohort()
    known = subset(held, [name for name in held.subjects["subject"] if name[0] != "c"])
    model, _ = learn_sites(known.measurements, known, params=KEEP)
    with pytest.raises(InvalidInput, match="centre 'c' was not seen"):
        take_out(held.measurements, held, model)


def test_one_subject_at_a_site_needs_means_only() -> None:
    held = cohort()
    few = subset(held, [name for name in held.subjects["subject"] if name[0] != "c" or name == "c039"])
    with pytest.raises(InvalidInput, match="'c' has 1 row"):
        learn_sites(few.measurements, few, params=KEEP)
    means_only = Params(preserve=("age_years",), guard=(), settings=Settings(mean_only=True))
    assert learn_sites(few.measurements, few, params=means_only)[0].panels[0].combat.counts.tolist() == [
        40,
        40,
        1,
    ]


def test_constant_and_missing_covariates_are_named() -> None:
    held = cohort()
    same = make_cohort(held.subjects.assign(age_years=60.0), held.acquisitions, held.measurements)
    with pytest.raises(InvalidInput, match="constant covariate: age_years"):
        learn_sites(same.measurements, same, params=KEEP)
    holes = held.subjects.assign(age_years=held.subjects["age_years"].where(held.subjects.index != 3))
    lost = make_cohort(holes, held.acquisitions, held.measurements)
    with pytest.raises(InvalidInput, match="1 rows lack a covariate: age_years"):
        learn_sites(lost.measurements, lost, params=KEEP)
    with pytest.raises(InvalidInput, match="did you mean 'age_years'"):
        learn_sites(held.measurements, held, params=Params(preserve=("age_year",)))


def test_absent_rows_stay_absent_and_features_of_one_site_are_left_out() -> None:
    held = cohort()
    rows = held.measurements.copy()
    gone = (rows["site"] == "gracilis") & rows["subject"].str.startswith("b")
    one = (rows["site"] == "sartorius") & (rows["subject"] == "a001")
    for mask in (gone, one):
        rows.loc[mask, ["value", "low", "high"]] = np.nan
        rows.loc[mask, "absent"] = "not_measured"
    holed = make_cohort(held.subjects, held.acquisitions, rows)
    model, remarks = learn_sites(holed.measurements, holed, params=KEEP)
    assert [remark.category for remark in remarks] == ["feature_not_in_every_site"]
    even, told = take_out(holed.measurements, holed, model)
    assert {remark.category for remark in told} == {"unknown_feature"}
    assert "gracilis" not in set(even["site"])
    assert even[(even["site"] == "sartorius") & (even["subject"] == "a001")]["absent"].tolist() == [
        "not_measured"
    ]


def test_values_that_leave_their_range_become_absent() -> None:
    held = cohort(measure="fat_fraction")
    even, told = take_out(held.measurements, held, learn_sites(held.measurements, held, params=KEEP)[0])
    outside = even["absent"] == "not_defined"
    assert outside.any()
    assert even.loc[outside, "value"].isna().all()
    assert "outside_range" in {remark.category for remark in told}


def test_device_is_another_site_and_needs_acquisitions() -> None:
    held = cohort()
    model, _ = learn_sites(held.measurements, held, params=Params(site="device", preserve=("diagnosis",)))
    assert model.panels[0].combat.sites == ("scanner-a", "scanner-b", "scanner-c")
    bare = make_cohort(held.subjects, held.acquisitions.assign(device=""), held.measurements)
    with pytest.raises(InvalidInput, match="have no site"):
        learn_sites(bare.measurements, bare, params=Params(site="device"))
    with pytest.raises(InvalidInput, match="use centre or device"):
        learn_sites(held.measurements, held, params=Params(site="city"))


def test_evidence_tells_what_sites_leave_and_what_is_kept() -> None:
    held = cohort(n=80)
    model, _ = learn_sites(held.measurements, held, params=KEEP)
    matched, after = matched_scans(held.measurements, held, model, model.panels[0])
    rows = harmonisation.check(
        matched.scans.values, after, matched.sites, covariates=matched.covariates, names=model.coding.names
    )
    found = rows.set_index("metric")
    assert found.loc["site share of variance before, median of features", "value"] > 0.5
    assert found.loc["site share of variance after, median of features", "verdict"] == "pass"
    assert (
        found.loc["spread between sites before, largest over smallest SD, median of features", "value"] > 1.6
    )
    assert (
        found.loc["spread between sites after, largest over smallest SD, median of features", "value"] < 1.3
    )
    assert found.loc["kept effect of diagnosis: healthy", "value"] == pytest.approx(1, abs=0.1)


def test_evidence_fails_where_nothing_was_harmonised() -> None:
    held = cohort(n=80)
    model, _ = learn_sites(held.measurements, held, params=KEEP)
    matched, after = matched_scans(held.measurements, held, model, model.panels[0])
    found = harmonisation.check(matched.scans.values, matched.scans.values, matched.sites).set_index("metric")
    assert found.loc["site share of variance after, median of features", "verdict"] == "fail"
    lost = harmonisation.check(
        matched.scans.values,
        0.5 * after,
        matched.sites,
        covariates=matched.covariates,
        names=model.coding.names,
    )
    assert np.isfinite(lost["value"]).all()


def test_nothing_to_harmonise_is_said() -> None:
    held = cohort()
    with pytest.raises(InvalidInput, match="no rows to harmonise"):
        learn_sites(held.measurements.iloc[:0], held)
    with pytest.raises(InvalidInput, match="needs the cohort"):
        derive(held.measurements)
    model, _ = learn_sites(held.measurements, held, params=KEEP)
    with pytest.raises(InvalidInput, match="no row fits the model"):
        take_out(held.measurements.assign(method="other"), held, model)
