"""Names and units of the tables as a reader expects to see them."""

import re

from myoproof.delivery.wording import MINUS
from myoproof.vocabulary.lookup import label, unit, words

_UNITS = {
    "1": "",
    "mm2": "mm²",
    "cm2": "cm²",
    "mm3": "mm³",
    "{score}": "points",
    "{grey}": "grey levels",
    "a": "years",
}
_WORDS = {
    "alsfrs_r": "ALSFRS-R",
    "cmap_amplitude": "CMAP amplitude",
    "muscle_t2": "muscle T2",
    "mmt": "MMT",
    "als": "ALS",
    "dixon": "Dixon",
    "bmi": "BMI",
    "srm": "SRM",
    "ari": "ARI",
    "icc": "ICC",
    "age_years": "age",
    "duration_months": "disease duration",
}
_SHORT = {
    "fat_fraction_signal": "fat fraction (signal)",
    "functional_remaining_volume": "remaining volume",
    "functional_remaining_area": "remaining area",
    "cross_sectional_area": "area",
    "knee_extension_strength": "knee extension",
    "plantar_flexion_strength": "plantar flexion",
    "grip_strength": "grip",
    "thickness": "thickness",
    "nerve_cross_sectional_area": "nerve area",
}
FRACTION_MEASURES = ("fat_fraction", "fat_fraction_signal")


def reason(name: str) -> str:
    """Why something is absent, in words.

    Parameters
    ----------
    name : str
        A word of the vocabulary of absence, or free text.

    Examples
    --------
    >>> reason("insufficient_data")
    'too few observations for this estimate'
    """
    return label("absent", name)


def word(name: str) -> str:
    """A name of the tables as words: underscores opened, abbreviations in their usual form.

    Parameters
    ----------
    name : str
        For instance ``fat_fraction`` or ``alsfrs_r``.

    Examples
    --------
    >>> word("biceps_brachii"), word("alsfrs_r"), word("leave_one_centre_out")
    ('biceps brachii', 'ALSFRS-R', 'leave one centre out')
    """
    if name.lower() in _WORDS:
        return _WORDS[name.lower()]
    return " ".join(_WORDS.get(part.lower(), part) for part in re.split(r"[_\s]+", name) if part)


def opened(text: str) -> str:
    """Free text with the names of the tables in it turned into words, and the unit of fractions left out.

    Parameters
    ----------
    text : str
        For instance the population of an evidence row.

    Examples
    --------
    >>> opened("simulated: fat_fraction [1], vastus_lateralis")
    'simulated: fat fraction, vastus lateralis'
    """
    plain = text.replace(" [1]", "")
    return re.sub(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b", lambda found: _either(found[0]), plain)


def _either(name: str) -> str:
    return label("sites", name) if name in words("sites") else term_name(name)


def abbreviation(site: str) -> str:
    """A few letters for a site.

    Examples
    --------
    >>> abbreviation("vastus_lateralis"), abbreviation("my_own_muscle")
    ('VL', 'MOM')
    """
    known = words("sites").get(site)
    return known["abbreviation"] if known else "".join(part[0] for part in site.split("_")).upper()[:4]


def term_name(term: str, *, measure: bool = True) -> str:
    """A feature name ``measure/site/side`` as words.

    Parameters
    ----------
    term : str
        Feature or covariate name.
    measure : bool
        False leaves the measure out, for figures of one measure.

    Examples
    --------
    >>> term_name("fat_fraction/thigh/both")
    'fat fraction, thigh'
    >>> term_name("echogenicity/biceps_brachii/left")
    'echogenicity, biceps brachii left'
    >>> term_name("cluster-1 - cluster-0")
    'cluster 1 − cluster 0'
    """
    if "/" not in term:
        named = label("measures", term) if term in words("measures") else word(term)
        named = re.sub(r"^k=(\d+)$", r"k = \1", named)
        return re.sub(r"\b(cluster)-(\d)", r"\1 \2", named).replace(" - ", f" {MINUS} ")
    kind, site, side, at = [*term.split("/"), "", "", ""][:4]
    sided = side if side in ("left", "right") else ""
    place = " ".join(part for part in (label("sites", site), sided) if part)
    first = label("measures", kind) if measure or not place else ""
    where = "maximal slice" if at == "maximum" else at.replace(":", " ")
    return ", ".join(part for part in (first, place, where) if part)


def short_name(term: str) -> str:
    """A term for a narrow place: the measure shortened, the slice of maximal area not said.

    Parameters
    ----------
    term : str
        Feature name.

    Examples
    --------
    >>> short_name("cross_sectional_area/thigh/both/maximum"), short_name("alsfrs_r/total/both")
    ('area, thigh', 'ALSFRS-R')
    """
    kind, site = [*term.split("/"), ""][:2]
    name = _SHORT.get(kind, term_name(kind))
    if site in ("", "total") or kind.endswith("_strength"):
        return name
    return f"{name}, {term_name('/'.join(term.split('/')[:3]), measure=False)}"


def term_scale(term: str, code: str = "", *, change: bool = False) -> tuple[float, str]:
    """Factor and unit by which a stored value is shown: fractions become per cent, or points when changes.

    Parameters
    ----------
    term : str
        Feature name, its first part the measure.
    code : str
        Unit of the stored row, UCUM; the vocabulary's when empty.
    change : bool
        Whether the value is a difference of two values.

    Returns
    -------
    tuple of (float, str)
        Multiply by the first, print the second.

    Examples
    --------
    >>> term_scale("fat_fraction/thigh/both", "1"), term_scale("fat_fraction/thigh/both", "1", change=True)
    ((100.0, '%'), (100.0, 'percentage points'))
    >>> term_scale("volume/thigh/both", "mL"), term_scale("fat_fraction/thigh/both", "1/a", change=True)
    ((1.0, 'mL'), (100.0, 'percentage points per year'))
    """
    kind = term.split("/", maxsplit=1)[0]
    stored, _, per = (code or measure_unit(kind)).partition("/")
    rate = f" per {_UNITS.get(per, per).removesuffix('s')}" if per else ""
    if kind in FRACTION_MEASURES and stored == "1":
        return 100.0, ("percentage points" if change else "%") + rate
    return 1.0, (unit_text(stored) + rate).strip()


def measure_unit(measure: str) -> str:
    """The unit of a measure of the vocabulary; empty for a word it does not hold.

    Parameters
    ----------
    measure : str
        First part of a feature name.
    """
    return unit(measure) if measure in words("measures") else ""


def unit_text(code: str) -> str:
    """A UCUM unit as print shows it.

    Parameters
    ----------
    code : str
        UCUM code.

    Examples
    --------
    >>> unit_text("mm2"), unit_text("{score}"), unit_text("1"), unit_text("mL")
    ('mm²', 'points', '', 'mL')
    """
    return _UNITS.get(code, code.strip("{}"))
