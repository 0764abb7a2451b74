"""The words: complete, unique, and pointing at each other."""

import csv
from importlib.resources import files

import pytest

from myoproof.errors import UnknownName
from myoproof.vocabulary.lookup import KEYS, MORE, label, words, worsening_sign


@pytest.mark.parametrize("vocabulary", list(KEYS))
def test_keys_are_unique_and_labels_filled(vocabulary: str) -> None:
    text = (files("myoproof.vocabulary") / f"{vocabulary}.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len({row[KEYS[vocabulary]] for row in rows}) == len(rows)
    assert all(row["label"] for row in rows)
    assert None not in {key for row in rows for key in row}, "a row has more cells than the header"


UNDIRECTED = {
    "b1", "body_weight", "body_height", "body_mass_index", "systolic_blood_pressure", "diastolic_blood_pressure",
    "pulse_rate", "respiratory_rate", "body_temperature", "creatinine", "creatine_kinase",
    "alanine_aminotransferase", "aspartate_aminotransferase",
    "subcutaneous_thickness", "aponeurosis_depth_superficial", "aponeurosis_depth_deep",
    "fascicle_angle", "aponeurosis_angle", "aponeurosis_angle_deep", "pennation_angle",
    "echogenicity_sd", "echogenicity_entropy", "echogenicity_share_black",
    "echogenicity_share_white", "nerve_cross_sectional_area_z", "nerve_fascicle_ratio",
    "vessel_cross_sectional_area", "fasciculation_peak_time", "fasciculation_peak_frame", "bone_echo",
    "nerve_area_share", "vessel_area_share", "nerve_count",
}  # fmt: skip
"""Worse at either end, or different in different diseases (creatinine falls in ALS and rises in renal failure)."""


def test_every_measure_has_a_unit_and_a_direction() -> None:
    for name, row in words("measures").items():
        assert row["unit"], name
        nobody_knows = row["code"].startswith("IBSI ") or name.endswith("_asymmetry") or name in UNDIRECTED
        assert row["worse"] in ({""} if nobody_knows else {"higher", "lower"}), name
        assert worsening_sign(name) in {1, -1}


def test_no_word_is_in_two_files() -> None:
    for vocabulary, others in MORE.items():
        lines = [
            line
            for stem in (vocabulary, *others)
            for line in (files("myoproof.vocabulary") / f"{stem}.csv").read_text().splitlines()[1:]
        ]
        assert len(words(vocabulary)) == len(lines)


def test_muscle_abbreviations_are_unique() -> None:
    short = [row["abbreviation"] for row in words("sites").values()]
    assert len(set(short)) == len(short)


def test_unknown_names_are_told() -> None:
    assert label("sites", "my_own_muscle") == "my own muscle"
    with pytest.raises(UnknownName, match="no vocabulary"):
        words("colours")
