"""Units to UCUM, manual muscle grades, and the rules of import."""

import pytest

from myoproof.errors import UnknownName
from myoproof.sources.grades import GRADES, grade
from myoproof.sources.traps import LEVELS, rule, rules
from myoproof.sources.units import factor, factors, known
from myoproof.vocabulary.lookup import words


def test_factors_are_those_of_the_definitions() -> None:
    assert factor("Pounds", "kg") == 0.45359237
    assert factor("Pounds", "N") == pytest.approx(4.4482216152605, abs=1e-12)
    assert factor("inches", "cm") == 2.54
    assert factor("kgf", "N") == 9.80665
    assert factor("IU/L", "U/L") == 1.0
    assert factor("ng/mL", "pg/mL") == pytest.approx(1000)
    assert factor("kg", "cm") is None
    assert factor("furlong", "cm") is None


def test_there_and_back_is_one() -> None:
    codes = {own[0].lower() for own in known().values()} & set(known())
    for text in codes:
        for other in codes:
            times = factor(text, known()[other][0])
            if times is not None and known()[text][1] == known()[other][1]:
                assert times * factor(other, known()[text][0]) == pytest.approx(1)


def test_every_clinical_measure_has_a_unit_that_can_be_read() -> None:
    for name in (
        "body_weight",
        "body_height",
        "forced_vital_capacity",
        "isometric_strength",
        "alsfrs_r",
        "albumin",
    ):
        assert factors(words("measures")[name]["unit"]), name


def test_grades_rise() -> None:
    order = ["0", "1", "2-", "2", "2+", "3-", "3", "3+", "4-", "4", "4+", "5"]
    numbers = [GRADES[text] for text in order]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 10
    assert grade(" 4 + ") == 9
    assert grade("very good") is None


def test_rules_are_complete() -> None:
    for one in rules().values():
        assert one.level in LEVELS
        assert one.what
        assert one.done
    assert {one.trap for one in rules().values()} == {*map(str, range(1, 21)), "input"}
    with pytest.raises(UnknownName):
        rule("no_such_rule")
