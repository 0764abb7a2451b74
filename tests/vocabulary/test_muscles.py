"""Names of muscles: vocabulary words, English, Latin orders, abbreviations, and the near miss."""

import csv
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.errors import UnknownName
from myoproof.vocabulary.lookup import words
from myoproof.vocabulary.muscles import KINDS, muscle

MUSCLES = sorted(site for site, row in words("sites").items() if row["kind"] in KINDS)


@pytest.mark.parametrize("site", MUSCLES)
def test_every_vocabulary_name_label_and_abbreviation_means_its_own_site(site: str) -> None:
    row = words("sites")[site]
    assert muscle(site) == muscle(row["label"]) == muscle(row["abbreviation"]) == site


@pytest.mark.parametrize(
    ("name", "site"),
    [
        ("gastrocnemius_medialis", "medial_gastrocnemius"),
        ("gastrocnemius_lateralis", "lateral_gastrocnemius"),
        ("Gastrocnemius, lateral head".replace(",", ""), "lateral_gastrocnemius"),
        ("m. vastus lateralis", "vastus_lateralis"),
        ("VASTUS-LATERALIS", "vastus_lateralis"),
        ("GM", "medial_gastrocnemius"),
        ("biceps", "biceps_brachii"),
        ("flexors of the forearm", "forearm_flexors"),
    ],
)
def test_names_as_people_write_them(name: str, site: str) -> None:
    assert muscle(name) == site


def test_unknown_muscle_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'medial_gastrocnemius'"):
        muscle("gastrocnemius_medialus")
    with pytest.raises(UnknownName, match=r"known: .*vastus_lateralis"):
        muscle("xyzzy")


def test_nerves_are_no_muscles() -> None:
    with pytest.raises(UnknownName):
        muscle("median_wrist")


@given(
    st.sampled_from(MUSCLES),
    st.sampled_from([str.upper, str.title, str.swapcase]),
    st.sampled_from([" ", "-", "_"]),
)
def test_case_and_separators_do_not_matter(site: str, turn: object, separator: str) -> None:
    assert callable(turn)
    assert muscle(turn(site.replace("_", separator))) == site


def test_no_synonym_hides_a_vocabulary_word_and_each_means_a_muscle() -> None:
    text = (files("myoproof.vocabulary") / "muscle_synonyms.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len({row["synonym"].casefold() for row in rows}) == len(rows)
    for row in rows:
        assert row["site"] in MUSCLES
        assert muscle(row["synonym"]) == row["site"]
