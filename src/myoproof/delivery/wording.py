"""Numbers, probabilities and names as a reader expects to see them in running text and tables."""

import math
import re
from collections.abc import Sequence

from myoproof.vocabulary.lookup import label, unit, words

MINUS = "\u2212"
NARROW = "\u202f"
NO_BREAK = "\u00a0"
DASH = "\u2013"

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
    "bmi": "BMI",
    "srm": "SRM",
    "ari": "ARI",
    "icc": "ICC",
    "age_years": "age",
}
_NUMERALS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
FRACTION_MEASURES = ("fat_fraction", "fat_fraction_signal")


def number(value: float, decimals: int | None = None) -> str:
    """A number with a true minus sign and a fixed count of decimals; an en dash when it is absent.

    Parameters
    ----------
    value : float
        What to print; NaN prints as an en dash, infinity as a sign.
    decimals : int, optional
        Decimals to keep; chosen by :func:`decimals_for` when absent.

    Examples
    --------
    >>> number(1.0456), number(-3.84), number(12345.6), number(float("nan"))
    ('1.05', '−3.84', '12,346', '–')
    """
    if value is None or math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else MINUS + "∞"
    places = decimals_for(value) if decimals is None else decimals
    text = f"{abs(value):,.{places}f}"
    negative = value < 0 and float(text.replace(",", "")) != 0
    return MINUS + text if negative else text


def decimals_for(*values: float) -> int:
    """How many decimals a group of numbers that are read together needs.

    Parameters
    ----------
    *values : float
        The numbers; those that are not finite do not count.

    Examples
    --------
    >>> decimals_for(1.05, 0.71, 1.49), decimals_for(212.3), decimals_for(0.031, 0.012), decimals_for(4100)
    (2, 1, 3, 0)
    """
    finite = [abs(value) for value in values if value is not None and math.isfinite(value)]
    largest = max(finite, default=0.0)
    if largest >= 1000:
        return 0
    if largest >= 100:
        return 1
    return 2 if largest >= 0.1 or largest == 0 else 3


def interval(value: float, low: float, high: float, *, decimals: int | None = None, unit: str = "") -> str:
    """An estimate with its interval in the form used throughout: ``1.05 (0.71 to 1.49)``.

    Parameters
    ----------
    value, low, high : float
        Estimate and bounds; without bounds the estimate stands alone.
    decimals : int, optional
        Common count of decimals.
    unit : str
        Printed after the estimate.

    Examples
    --------
    >>> interval(1.05, 0.71, 1.49)
    '1.05 (0.71 to 1.49)'
    >>> interval(-3.84, -5.41, -2.27, unit="points")
    '−3.84 points (−5.41 to −2.27)'
    """
    places = decimals_for(value, low, high) if decimals is None else decimals
    shown = number(value, places) + (_spaced(unit) if unit else "")
    bounds = bounds_text(low, high, decimals=places)
    return f"{shown} ({bounds})" if bounds else shown


def bounds_text(low: float, high: float, *, decimals: int | None = None) -> str:
    """The bounds of an interval as ``0.71 to 1.49``; empty when both are absent.

    Parameters
    ----------
    low, high : float
        Bounds; one alone is printed with an en dash for the other.
    decimals : int, optional
        Common count of decimals.
    """
    if math.isnan(low) and math.isnan(high):
        return ""
    places = decimals_for(low, high) if decimals is None else decimals
    return f"{number(low, places)} to {number(high, places)}"


def p_cell(p: float) -> str:
    """A probability for a table cell: no leading zero, three decimals below .10, else two.

    Parameters
    ----------
    p : float
        Probability in 0-1; NaN prints as an en dash.

    Examples
    --------
    >>> p_cell(0.00002), p_cell(0.0123), p_cell(0.349), p_cell(0.999)
    ('< .001', '.012', '.35', '> .99')
    """
    if math.isnan(p):
        return DASH
    if p < 0.001:
        return "< .001"
    if p > 0.99:
        return "> .99"
    return f"{p:.{3 if p < 0.0995 else 2}f}".removeprefix("0")


def p_text(p: float, *, symbol: str = "p") -> str:
    r"""A probability in running text.

    Parameters
    ----------
    p : float
        Probability in 0-1.
    symbol : str
        What stands before it, for instance ``adjusted p``.

    Examples
    --------
    >>> p_text(0.00002), p_text(0.0123), p_text(float("nan"))
    ('p\xa0<\xa0.001', 'p\xa0=\xa0.012', 'p not given')
    """
    if math.isnan(p):
        return f"{symbol} not given"
    cell = p_cell(p).replace(" ", NO_BREAK)
    return f"{symbol}{NO_BREAK}{cell}" if cell[0] in "<>" else f"{symbol}{NO_BREAK}={NO_BREAK}{cell}"


def percent(fraction: float, decimals: int = 0) -> str:
    r"""A fraction as per cent.

    Parameters
    ----------
    fraction : float
        Value in 0-1.
    decimals : int
        Decimals of the percentage.

    Examples
    --------
    >>> percent(0.634), percent(0.0456, 1)
    ('63\\xa0%', '4.6\\xa0%')
    """
    return DASH if math.isnan(fraction) else number(100 * fraction, decimals) + NO_BREAK + "%"


def size(n: float, noun: str = "") -> str:
    """A sample size as ``n = 17`` (kept on one line), or with a noun ``n = 17 patients``.

    Parameters
    ----------
    n : float
        How many; NaN says that it was not recorded.
    noun : str
        What was counted.
    """
    if math.isnan(n):
        return "n not recorded"
    tail = f" {noun}" if noun else ""
    return f"n{NO_BREAK}={NO_BREAK}{int(n):,}{tail}"


def numeral(n: float) -> str:
    """A small count as a capitalised word, larger ones in digits.

    Parameters
    ----------
    n : float
        The count.

    Examples
    --------
    >>> numeral(2), numeral(12)
    ('Two', '12')
    """
    return _NUMERALS[int(n)] if 0 <= n < len(_NUMERALS) else str(int(n))


def series(words: Sequence[str], *, last: str = "and") -> str:
    """Words as an English series.

    Parameters
    ----------
    words : sequence of str
        The members.
    last : str
        The word before the last member.

    Examples
    --------
    >>> series(["age", "sex", "centre"])
    'age, sex and centre'
    """
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def sentence_case(text: str) -> str:
    """The text with a capital first letter, the rest untouched.

    Parameters
    ----------
    text : str
        Any text.
    """
    return text[:1].upper() + text[1:]


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
    return ", ".join(part for part in (first, place, at.replace(":", " ")) if part)


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


def _spaced(unit: str) -> str:
    return NO_BREAK + unit if unit else ""
