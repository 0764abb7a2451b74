"""Names of muscles as people write them, and the site each means."""

import csv
import difflib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from myoproof.errors import UnknownName
from myoproof.vocabulary.lookup import words

KINDS = ("muscle", "group")
FILLERS = frozenset({"m", "musculus", "muscle", "the", "of"})
LATIN = {
    "medialis": "medial",
    "lateralis": "lateral",
    "mediale": "medial",
    "laterale": "lateral",
    "caput": "head",
}
"""Latin words that vocabulary names of one muscle have in English."""


def muscle(name: str) -> str:
    """The site of a muscle, by vocabulary name, English name, abbreviation, words in any order or synonym.

    Parameters
    ----------
    name : str
        Upper and lower case, spaces, hyphens and underscores count as the same.

    Returns
    -------
    str
        A word of the vocabulary ``sites``.

    Raises
    ------
    UnknownName
        If no muscle is called so; the message names the nearest.

    Examples
    --------
    >>> muscle("gastrocnemius_medialis"), muscle("Vastus Lateralis"), muscle("TA")
    ('medial_gastrocnemius', 'vastus_lateralis', 'tibialis_anterior')
    >>> muscle("vastus_laterlis")
    Traceback (most recent call last):
        ...
    myoproof.errors.UnknownName: no muscle is called 'vastus_laterlis'; did you mean 'vastus_lateralis'?
    """
    known = _names()
    for key in (_plain(name), _sorted(name)):
        if key in known:
            return known[key]
    raise UnknownName(f"no muscle is called {name!r}", mend=_near(name))


@cache
def _names() -> Mapping[str, str]:
    found: dict[str, str] = {}
    text = (files("myoproof.vocabulary") / "muscle_synonyms.csv").read_text(encoding="utf-8")
    synonyms = [(row["synonym"], row["site"]) for row in csv.DictReader(text.splitlines())]
    sites = {site: row for site, row in words("sites").items() if row["kind"] in KINDS}
    own = [(name, site) for site, row in sites.items() for name in (site, row["label"], row["abbreviation"])]
    for name, site in own + synonyms:
        for key in (_plain(name), _sorted(name)):
            found.setdefault(key, site)
    return MappingProxyType(found)


def _words(name: str) -> list[str]:
    split = name.casefold().replace("_", " ").replace("-", " ").replace(".", " ").split()
    return [word for word in split if word not in FILLERS] or split


def _plain(name: str) -> str:
    return " ".join(_words(name))


def _sorted(name: str) -> str:
    return " ".join(sorted(LATIN.get(word, word) for word in _words(name)))


def _near(name: str) -> str:
    known = _names()
    close = difflib.get_close_matches(_plain(name), list(known), n=1, cutoff=0.6)
    sites = sorted(set(known.values()))
    return f"did you mean {known[close[0]]!r}?" if close else f"known: {', '.join(sites)}"
