"""The one loader of the vocabulary: words, units, directions and nearest misses."""

import csv
import difflib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from myoproof.errors import UnknownName

KEYS = {
    "measures": "measure",
    "sites": "site",
    "sides": "side",
    "modalities": "modality",
    "flags": "flag",
    "absent": "reason",
}
"""Vocabulary file -> its key column."""
MORE = {"measures": ("radiomics",)}
"""Vocabulary -> further files of the same columns, which would bury the first one's words."""


@cache
def words(vocabulary: str) -> Mapping[str, Mapping[str, str]]:
    """One vocabulary as word -> its columns.

    Parameters
    ----------
    vocabulary : str
        One of ``measures``, ``sites``, ``sides``, ``modalities``, ``flags``, ``absent``.

    Raises
    ------
    UnknownName
        If there is no such vocabulary.

    Examples
    --------
    >>> words("measures")["fat_fraction"]["unit"]
    '1'
    >>> words("sites")["sartorius"]["abbreviation"]
    'SA'
    """
    if vocabulary not in KEYS:
        raise UnknownName(f"no vocabulary {vocabulary!r}", mend=f"known: {', '.join(KEYS)}")
    found: dict[str, Mapping[str, str]] = {}
    for stem in (vocabulary, *MORE.get(vocabulary, ())):
        text = (files("myoproof.vocabulary") / f"{stem}.csv").read_text(encoding="utf-8")
        rows = csv.DictReader(text.splitlines())
        found |= {row[KEYS[vocabulary]]: MappingProxyType(row) for row in rows}
    return MappingProxyType(found)


def word(vocabulary: str, name: str) -> Mapping[str, str]:
    """The columns of one word.

    Raises
    ------
    UnknownName
        If the word is not in the vocabulary; the message names the nearest one.

    Examples
    --------
    >>> word("measures", "fat_fractoin")
    Traceback (most recent call last):
        ...
    myoproof.errors.UnknownName: measures has no 'fat_fractoin'; did you mean 'fat_fraction'?
    """
    known = words(vocabulary)
    if name not in known:
        raise UnknownName(f"{vocabulary} has no {name!r}", mend=near(name, known))
    return known[name]


def near(name: str, known: Mapping[str, object]) -> str:
    """The mend for a misspelt name: the nearest known one, or all of them.

    Examples
    --------
    >>> near("thig", {"thigh": 1, "calf": 2})
    "did you mean 'thigh'?"
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"


def unit(measure: str) -> str:
    """The UCUM unit of a measure, as every table carries it."""
    return word("measures", measure)["unit"]


def worsening_sign(measure: str) -> int:
    """+1 where a higher value is worse, -1 where a lower one is; +1 where nobody knows (radiomics).

    Examples
    --------
    >>> worsening_sign("fat_fraction"), worsening_sign("volume")
    (1, -1)
    """
    return -1 if word("measures", measure)["worse"] == "lower" else 1


def label(vocabulary: str, name: str) -> str:
    """The words a person reads for a name; the name itself where it is not in the vocabulary."""
    row = words(vocabulary).get(name)
    return row["label"] if row else name.replace("_", " ")
