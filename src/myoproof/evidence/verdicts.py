"""The one rule of verdicts: an interval inside the allowed range passes, outside fails, across is open."""

import math
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Range:
    """What a number is allowed to be.

    Parameters
    ----------
    at_least, at_most : float
        Bounds, themselves allowed; infinite where there is none.
    """

    at_least: float = -math.inf
    at_most: float = math.inf

    def __str__(self) -> str:
        parts = []
        if self.at_least > -math.inf:
            parts.append(f"at least {self.at_least:g}")
        if self.at_most < math.inf:
            parts.append(f"at most {self.at_most:g}")
        return " and ".join(parts) or "any value"

    def holds(self, value: float) -> bool:
        """Whether a number lies inside."""
        return self.at_least <= value <= self.at_most


def judge(value: float, allowed: Range, *, low: float = math.nan, high: float = math.nan) -> Verdict:
    """Hold a value, or its interval where there is one, against a range.

    Parameters
    ----------
    value : float
        NaN is inconclusive.
    allowed : Range
        What passes.
    low, high : float
        The interval; the value alone is judged where either is NaN.

    Examples
    --------
    >>> allowed = Range(at_least=0.9)
    >>> judge(0.95, allowed), judge(0.95, allowed, low=0.85, high=0.99)
    ('pass', 'inconclusive')
    """
    if math.isnan(value):
        return "inconclusive"
    if math.isnan(low) or math.isnan(high):
        return "pass" if allowed.holds(value) else "fail"
    if allowed.holds(low) and allowed.holds(high):
        return "pass"
    return "fail" if high < allowed.at_least or low > allowed.at_most else "inconclusive"
