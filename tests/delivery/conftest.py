"""Small made-up results for the delivery tests: every row a study binds itself to emit, none of it computed by one."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from myoproof.core.evidence import evidence_frame
from myoproof.core.result import Result, estimates_frame, predictions_frame
from myoproof.core.study import Feature, Study
from myoproof.delivery import phenotypes, progression
from myoproof.delivery.report import Report

PHENOTYPE_TERMS = [
    f"{measure}/{site}/mean"
    for measure in ("thickness", "echogenicity")
    for site in ("biceps_brachii", "rectus_femoris", "tibialis_anterior", "first_dorsal_interosseous")
]
PROGRESSION_TERMS = [
    f"{measure}/{site}/both"
    for measure in ("fat_fraction", "functional_remaining_volume")
    for site in ("thigh", "calf", "head_neck")
]


def phenotype_study() -> Study:
    return Study(
        name="als-nmus-phenotypes",
        title="Ultrasound phenotypes of ALS",
        question="Does neuromuscular ultrasound show subtypes of ALS, or one severity continuum?",
        kind="phenotypes",
        features=[Feature(measure="thickness"), Feature(measure="echogenicity", side="mean")],
        outcome=Feature(measure="alsfrs_r", site="total"),
        covariates=["age_years", "sex", "body_mass_index", "centre"],
        method={"k": [2, 3, 4, 5], "nulls": ["gaussian", "unimodal_factor"], "statistic": "silhouette"},
        seed=7,
    )


def phenotype_result(*, claimed: int = 0, n: int = 60) -> Result:
    rng = np.random.default_rng(4)
    rows: list[dict[str, Any]] = [
        {"analysis": "flow", "term": "in the cohort", "value": n + 4},
        {
            "analysis": "flow",
            "term": "with an ultrasound at baseline",
            "value": n + 1,
            "group": "no ultrasound",
        },
        {"analysis": "flow", "term": "analysed", "value": n, "group": "all features missing"},
    ]
    rows += [
        {"analysis": "feature", "term": term, "value": 0.02 * i, "flags": "kept"}
        for i, term in enumerate(PHENOTYPE_TERMS)
    ]
    for k in (2, 3, 4, 5):
        common = {"term": f"k={k}", "n_subjects": n}
        rows.append({"analysis": "silhouette", "value": 0.4 - 0.05 * k, **common})
        ari = 0.95 - 0.1 * (k - 2)
        rows.append(
            {"analysis": "stability", "value": ari, "low": ari - 0.1, "high": min(ari + 0.04, 1), **common}
        )
        rows.append({"analysis": "prediction_strength", "value": 0.9 - 0.15 * (k - 2), **common})
        for null in ("gaussian", "unimodal_factor"):
            rows.append(
                {
                    "analysis": "null", "method": "silhouette", "group": null, "value": 0.36 - 0.05 * k, "se": 0.02,
                    "statistic": (9.0 if claimed else 1.2) - 0.4 * k, "p": 0.01 if claimed else 0.4, **common,
                }
            )  # fmt: skip
    for null, p in (("gaussian", 0.01), ("unimodal_factor", 0.01 if claimed else 0.43)):
        flag = "rejected" if p <= 0.05 else "severity_continuum"
        excess = 8.2 if claimed else 0.8
        rows.append(
            {
                "analysis": "decision",
                "group": null,
                "statistic": excess,
                "p": p,
                "n_subjects": n,
                "flags": flag,
            }
        )
    flag = "subtypes" if claimed else "severity_continuum"
    rows.append({"analysis": "decision", "group": "claim", "value": claimed, "flags": flag})
    rows += [
        {"analysis": "cluster_size", "term": f"cluster-{c}", "value": v} for c, v in enumerate((38, n - 38))
    ]
    for i, term in enumerate(PHENOTYPE_TERMS):
        worse = 1 if "echo" in term else -1
        rows += [
            {"analysis": "profile", "term": term, "group": f"cluster-{c}", "value": worse * z * (1 + 0.1 * i)}
            for c, z in enumerate((-0.5, 0.8))
        ]
        rows.append({"analysis": "axis", "term": term, "value": worse * (0.3 + 0.03 * i)})
    for group, value, half in (
        ("adjusted", -3.84, 1.57),
        ("unadjusted", -5.1, 1.4),
        ("complete_cases", -3.6, 1.9),
    ):
        rows.append(
            {
                "analysis": "outcome", "term": "cluster-1 - cluster-0", "group": group, "value": value, "low": value - half,
                "high": value + half, "p": 0.0002, "n_subjects": n, "unit": "{score}", "level": 0.95,
            }
        )  # fmt: skip
    rows += [
        {
            "analysis": "outcome", "term": "severity_axis", "group": "axis_adjusted", "value": -2.9, "low": -3.6,
            "high": -2.2, "p": 1e-5, "n_subjects": n, "unit": "{score}",
        },
        {"analysis": "outcome", "term": "age_years", "group": "adjusted", "value": -0.02, "low": -0.1, "high": 0.06,
         "p": 0.62, "n_subjects": n, "unit": "{score}"},
        {"analysis": "correlation", "term": "manual_muscle_testing/total/", "group": "severity_axis", "value": -0.71,
         "low": -0.8, "high": -0.6, "p": 1e-9, "n_subjects": n},
        {"analysis": "correlation", "term": "cmap_amplitude/median_wrist/mean", "group": "severity_axis",
         "absent": "insufficient_data", "n_subjects": 2},
    ]  # fmt: skip
    for centre in ("A", "B", "C"):
        rows.append(
            {"analysis": "leave_one_centre_out", "group": centre, "value": 0.9, "n_subjects": 2 * n // 3}
        )
        rows.append(
            {"analysis": "leave_one_centre_out", "term": "outcome", "group": centre, "value": -3.7, "low": -5.6,
             "high": -1.8, "p": 0.001, "n_subjects": 2 * n // 3, "unit": "{score}"}
        )  # fmt: skip
    score = rng.gamma(2.0, size=n)
    predictions: list[dict[str, Any]] = []
    for i in range(n):
        subject, worse = f"sub-{i:03d}", int(score[i] > np.sort(score)[37])
        predictions.append({"subject": subject, "target": "severity_axis", "value": score[i]})
        for c in (0, 1):
            share = 0.93 if c == worse else 0.07
            predictions.append(
                {
                    "subject": subject,
                    "target": "cluster",
                    "candidate": f"cluster-{c}",
                    "value": share,
                    "rank": 1 if c == worse else 2,
                }
            )
    return Result(
        phenotype_study(), estimates_frame(rows), predictions_frame(predictions), "abc123abc123", True
    )


def progression_study() -> Study:
    return Study(
        name="als-mri-progression",
        title="Muscle MRI over twelve months in ALS",
        question="Which muscle MRI measure shows progression of ALS within twelve months?",
        kind="progression",
        features=[Feature(measure="fat_fraction", site=["thigh", "calf"], side="both", modality="dixon")],
        families={"primary": PROGRESSION_TERMS[:2]},
        method={"sessions": ["m00", "m06", "m12"]},
        seed=11,
    )


def progression_result() -> Result:
    rows: list[dict[str, Any]] = [
        {"analysis": "flow", "term": "enrolled", "value": 36},
        {"analysis": "flow", "term": "with both first and last visit", "value": 33, "group": "dropped_out"},
    ]
    predictions: list[dict[str, Any]] = []
    for i, term in enumerate(PROGRESSION_TERMS):
        fat = term.startswith("fat")
        unit, start, step = ("1", 0.08 + 0.02 * i, 0.012) if fat else ("mL", 2000.0 + 100 * i, -90.0)
        for group, n, share in (("als", 17, 1.0), ("control", 16, 0.1)):
            for day in (0.0, 183.0, 365.0):
                mean = start + share * step * day / 365
                rows.append(
                    {"analysis": "level", "term": term, "group": group, "day": day, "value": mean, "low": mean * 0.9,
                     "high": mean * 1.1, "unit": unit, "n_subjects": n}
                )  # fmt: skip
                predictions += [
                    {"subject": f"{group}-{s:02d}", "target": f"level:{term}", "candidate": group, "day": day,
                     "value": mean * (1 + 0.2 * np.sin(s))}
                    for s in range(n)
                ]  # fmt: skip
            change = share * step
            rows.append(
                {"analysis": "change", "term": term, "group": group, "method": "paired_t", "value": change,
                 "low": change - abs(step) / 2, "high": change + abs(step) / 2, "statistic": 4.2, "df": n - 1,
                 "p": 0.0007, "p_adjusted": 0.0014, "unit": unit, "n_subjects": n,
                 "flags": "primary" if i < 2 else "exploratory"}
            )  # fmt: skip
        rows.append(
            {"analysis": "difference", "term": term, "value": 0.9 * step, "low": 0.9 * step - 0.5 * abs(step), "high": 0.9 * step + 0.5 * abs(step),
             "p": 0.003, "unit": unit, "n_subjects": 33}
        )  # fmt: skip
        rows.append(
            {"analysis": "rm_anova", "term": term, "group": "als", "statistic": 12.3, "p": 0.0003, "value": 0.4975248,
             "method": "rm_anova_gg df=1.54,23.2 visits=m00,m06,m12", "n_subjects": 17}
        )  # fmt: skip
        srm = 1.05 - 0.1 * i
        rows.append(
            {
                "analysis": "srm",
                "term": term,
                "value": srm,
                "low": srm - 0.34,
                "high": srm + 0.44,
                "n_subjects": 17,
            }
        )
        for effect, arm in (("50%", 58), ("25%", 229)):
            rows.append(
                {"analysis": "sample_size", "term": term, "group": effect, "value": arm + 10 * i, "statistic": arm + 10 * i - 0.3,
                 "low": 30, "high": 190, "n_subjects": 17}
            )  # fmt: skip
        rows.append(
            {
                "analysis": "selection",
                "term": term,
                "value": [0.55, 0.2, 0.1, 0.05, 0.05, 0.05][i],
                "n_subjects": 17,
            }
        )
        rows.append(
            {"analysis": "correlation", "term": term, "group": "knee_extension_strength/knee/mean", "method": "pearson",
             "value": 0.77 - 0.1 * i, "low": 0.4 - 0.1 * i, "high": 0.92 - 0.1 * i, "p": 0.0004, "n_subjects": 17}
        )  # fmt: skip
        rows.append(
            {"analysis": "fast_slow", "term": term, "value": 0.5 * step, "low": 0.5 * step - 0.6 * abs(step), "high": 0.5 * step + 0.6 * abs(step),
             "p": 0.08, "unit": unit, "n_subjects": 17}
        )  # fmt: skip
    rows.append(
        {
            "analysis": "selection",
            "term": "srm",
            "group": "honest",
            "value": 0.91,
            "low": 0.5,
            "high": 1.3,
            "n_subjects": 17,
        }
    )
    rows.append(
        {
            "analysis": "change",
            "term": "muscle_t2/thigh/both",
            "group": "als",
            "method": "paired_t",
            "absent": "not_measured",
        }
    )
    return Result(
        progression_study(), estimates_frame(rows), predictions_frame(predictions), "def456def456", True
    )


def evidence_rows() -> pd.DataFrame:
    return evidence_frame(
        [
            {"about": "dixon@1", "kind": "agreement", "metric": "bias", "value": 0.0012, "low": -0.001, "high": 0.003,
             "n": 200, "criterion": "absolute bias < 0.005", "verdict": "pass", "date": "2026-11-21", "version": "0.1.0",
             "population": "simulated thighs", "reference": "phantom truth"},
            {"about": "dixon@2", "kind": "interval", "metric": "coverage", "value": 0.91, "low": 0.89, "high": 0.93,
             "n": 200, "criterion": "0.93 to 0.97", "verdict": "fail", "date": "2026-11-21", "version": "0.1.0"},
            {"about": "als-nmus-phenotypes@000", "kind": "claims", "metric": "false_subtype_rate", "value": 0.04, "low": 0.02,
             "high": 0.08, "n": 200, "criterion": "<= 0.05", "verdict": "inconclusive"},
            {"about": "dixon@2", "kind": "agreement", "metric": "icc", "value": 0.99, "n": 200},
        ]
    )  # fmt: skip


def pair_rows() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    truth = rng.uniform(0.03, 0.4, 44)
    value = truth + rng.normal(0.002, 0.006, 44)
    sites = ["sartorius", "rectus_femoris", "gracilis", "semitendinosus"]
    return pd.DataFrame(
        {
            "subject": [f"img-{i // 4}" for i in range(44)], "measure": ["fat_fraction", "fat_fraction_signal"] * 22,
            "site": [sites[i % 4] for i in range(44)], "side": "left", "at": "", "value": value, "truth": truth,
            "low": value - 0.012, "high": value + 0.012, "level": 0.95, "unit": "1",
        }
    )  # fmt: skip


OVERLAY = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 120"><rect width="300" height="120" fill="#222"/>'
    '<circle cx="90" cy="60" r="40" fill="none" stroke="#E69F00"/></svg>'
)


def _no_drawing(*_: object, **__: object) -> None:
    return None


@pytest.fixture
def words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sections without their figures, for tests of what is said."""
    for module in (phenotypes, progression):
        for name in [name for name in vars(module) if name.endswith("_drawing")]:
            monkeypatch.setattr(module, name, _no_drawing)


@pytest.fixture
def continuum() -> Result:
    return phenotype_result()


@pytest.fixture
def subtypes() -> Result:
    return phenotype_result(claimed=2)


@pytest.fixture
def course() -> Result:
    return progression_result()


@pytest.fixture
def evidence() -> pd.DataFrame:
    return evidence_rows()


@pytest.fixture
def pairs() -> pd.DataFrame:
    return pair_rows()


@pytest.fixture(scope="session")
def shared_report() -> Report:
    return full_report()


def full_report() -> Report:
    """A report with everything a report can show."""
    return Report(
        title="ALS muscle imaging, demonstration",
        simulated=True,
        results=(phenotype_result(), progression_result()),
        evidence=evidence_rows(),
        images=(("Thigh of subject img-0, slice 12: contours and fat fraction", OVERLAY),),
        agreement_pairs=pair_rows(),
        provenance=({"id": "abc123abc123", "act": "phenotypes@1", "inputs": ["a1", "b2"], "parents": []},),
        date="2026-11-21",
        current={"dixon": "2"},
    )
