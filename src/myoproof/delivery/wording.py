"""Numbers, intervals and probabilities as a reader expects to see them in running text and tables."""

import math
from collections.abc import Sequence

MINUS = "\u2212"
NARROW = "\u202f"
NO_BREAK = "\u00a0"
DASH = "\u2013"
MOST_DECIMALS = 8

_NUMERALS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


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
    if largest >= 0.1 or largest == 0:
        return 2
    return min(1 - math.floor(math.log10(largest)), MOST_DECIMALS)


def interval(value: float, low: float, high: float, *, decimals: int | None = None, unit: str = "") -> str:
    r"""An estimate with its interval in the form used throughout: ``1.05 (0.71 to 1.49)``.

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
    '−3.84\xa0points (−5.41 to −2.27)'
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
    ('63\xa0%', '4.6\xa0%')
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


def _spaced(unit: str) -> str:
    return NO_BREAK + unit if unit else ""
