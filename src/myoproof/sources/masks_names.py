"""What a segment or contour is called, in the vocabulary's words: from codes, full names or abbreviations."""

import difflib
import re
from collections.abc import Mapping, Sequence
from functools import cache

from myoproof.errors import Finding
from myoproof.vocabulary.lookup import words

MDC: dict[int, str] = {
    828: "sartorius",
    836: "rectus_femoris",
    840: "vastus_lateralis",
    844: "vastus_intermedius",
    848: "vastus_medialis",
    856: "adductor_longus",
    864: "adductor_magnus",
    868: "gracilis",
    876: "biceps_femoris_long_head",
    880: "biceps_femoris_short_head",
    884: "semitendinosus",
    888: "semimembranosus",
    892: "tibialis_anterior",
    924: "lateral_gastrocnemius",
    928: "medial_gastrocnemius",
    932: "soleus",
    348: "masseter",
    400: "sternocleidomastoid",
    436: "trapezius",
    604: "deltoid",
    628: "biceps_brachii",
    640: "triceps_brachii",
}
"""ISO/IEEE 11073-10101 (MDC) 7:N -> site; N+1 is the left muscle, N+2 the right one. PS3.16, CID 3031."""

SCT = {
    "35259002": "deltoid",
    "22823000": "sternocleidomastoid",
    "31764008": "trapezius",
    "21974007": "tongue",
    "71966008": "subcutaneous_fat",
    "39937001": "skin",
    "272673000": "bone",
}
"""SNOMED CT codes that DICOM PS3.16 lists; other SNOMED concepts are told by their meaning."""

SIDES_SCT = {"7771000": "left", "24028007": "right"}
"""SNOMED CT laterality, DICOM PS3.16 CID 244."""

SIDES = {
    "left": "left",
    "right": "right",
    "l": "left",
    "r": "right",
    "lt": "left",
    "rt": "right",
    "lft": "left",
    "rgt": "right",
    "sinister": "left",
    "dexter": "right",
    "links": "left",
    "rechts": "right",
}
SYNONYMS = {"longum": "long", "breve": "short", "caput": "head", "mediale": "medial", "laterale": "lateral"}
SYNONYMS |= {
    "deltoideus": "deltoid",
    "sternocleidomastoideus": "sternocleidomastoid",
    "gastroc": "gastrocnemius",
}
FILLERS = {"m", "mm", "musculus", "muscle", "structure", "of", "the", "entire", "body", "part", "roi", "seg"}
TYPING_ERROR = 0.88
"""Similarity above which an unknown name counts as a slip of a known one (difflib ratio of sorted words)."""


def named(
    texts: Sequence[str], codes: Sequence[tuple[str, str]], *, where: str
) -> tuple[tuple[str, str], list[Finding]]:
    """Site and side of a region from its codes and texts.

    Parameters
    ----------
    texts : sequence of str
        Names and meanings, the most specific first.
    codes : sequence of (value, scheme)
        Such as ``("7:837", "MDC")`` or ``("24028007", "SCT")``; laterality among them.
    where : str
        The region, for findings.

    Returns
    -------
    name : (site, side)
        A name outside the vocabulary is kept as it is written, in small letters.
    findings : list of Finding
        An error where a name is a near miss of a vocabulary word, or left and right are both said.

    Examples
    --------
    >>> named(["RF_L"], [], where="segment 1")[0]
    ('rectus_femoris', 'left')
    >>> named(["Long head of biceps femoris muscle, right"], [], where="segment 2")[0]
    ('biceps_femoris_long_head', 'right')
    >>> named(["segment"], [("7:837", "MDC")], where="segment 3")[0]
    ('rectus_femoris', 'left')
    >>> str(named(["Vastus lateralus"], [], where="segment 4")[1][0])
    "segment 4: 'Vastus lateralus' is no word of the vocabulary; did you mean 'vastus lateralis'?"
    """
    site, sides = _from_codes(codes)
    sides |= {side for text in texts for token in _tokens(text) if (side := SIDES.get(token))}
    findings: list[Finding] = []
    if len(sides) > 1:
        findings.append(Finding("error", "side", "says both left and right", where, "name one side"))
    side = next(iter(sides)) if len(sides) == 1 else ""
    if site:
        return (site, side), findings
    for text in texts:
        if found := _known().get(_core(text)) or _abbreviation(text):
            return (found, side), findings
    return (_as_written(texts), side), findings + _slips(texts, where)


def _from_codes(codes: Sequence[tuple[str, str]]) -> tuple[str, set[str]]:
    site, sides = "", set()
    for value, scheme in codes:
        if scheme in {"SCT", "SRT", "SNM3"} and value in SIDES_SCT:
            sides.add(SIDES_SCT[value])
        elif scheme == "SCT" and value in SCT:
            site = SCT[value]
        elif scheme == "MDC" and (match := re.fullmatch(r"(?:7:)?(\d+)", value)):
            number = int(match.group(1))
            base = number - number % 4
            if base in MDC and number - base < 3:
                site = MDC[base]
                sides |= {("", "left", "right")[number - base]} - {""}
    return site, sides


def _tokens(text: str) -> list[str]:
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return [token for token in re.split(r"[^a-z0-9]+", apart.lower()) if token]


def _core(text: str) -> tuple[str, ...]:
    plain = re.sub(r"\(.*?structure.*?\)", " ", text.lower())
    kept = {SYNONYMS.get(t, t) for t in _tokens(plain if " " in text else text)} - FILLERS - SIDES.keys()
    return tuple(sorted(kept))


@cache
def _known() -> Mapping[tuple[str, ...], str]:
    known: dict[tuple[str, ...], str] = {}
    for site, row in words("sites").items():
        known.setdefault(_core(row["label"]), site)
        known.setdefault(_core(site), site)
    return known


def _abbreviation(text: str) -> str:
    kept = [token for token in _tokens(text) if token not in SIDES and token not in FILLERS]
    short = {
        row["abbreviation"].lower(): site for site, row in words("sites").items() if row["kind"] != "region"
    }
    return short.get(kept[0], "") if len(kept) == 1 else ""


def _as_written(texts: Sequence[str]) -> str:
    kept = [token for token in _tokens(texts[0] if texts else "") if token not in SIDES]
    return "_".join(kept) or "unnamed"


def _slips(texts: Sequence[str], where: str) -> list[Finding]:
    known = {" ".join(core): site for core, site in _known().items()}
    for text in texts:
        close = difflib.get_close_matches(" ".join(_core(text)), list(known), n=1, cutoff=TYPING_ERROR)
        if close:
            meant = words("sites")[known[close[0]]]["label"]
            what = f"{text!r} is no word of the vocabulary"
            return [Finding("error", "site", what, where, f"did you mean {meant!r}?")]
    return []
