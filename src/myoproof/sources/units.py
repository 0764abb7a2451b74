"""Units as people write them, to UCUM."""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@cache
def known() -> Mapping[str, tuple[str, str, float]]:
    """Unit text in lower case -> UCUM code, quantity, factor to the quantity's own scale."""
    text = (files("myoproof.sources") / "units.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return MappingProxyType(
        {row["text"]: (row["ucum"], row["quantity"], float(row["factor"])) for row in rows}
    )


def factor(text: str, target: str) -> float | None:
    """What a number in a unit is multiplied by to be in another; None where it cannot be.

    Parameters
    ----------
    text : str
        The unit as the source writes it; pounds of force may be written as pounds.
    target : str
        UCUM code.

    Examples
    --------
    >>> factor("Inches", "cm"), factor("%", "1"), factor("cm", "kg")
    (2.54, 0.01, None)
    >>> round(factor("Pounds", "N"), 7)
    4.4482216
    """
    own, other = known().get(" ".join(text.lower().split())), known().get(target.lower())
    if own is None or other is None:
        return None
    if own[0] == "[lb_av]" and other[1] == "force":
        own = known()["lbf"]
    if own[0] == "kg" and other[1] == "force":
        own = known()["kgf"]
    if own[1] != other[1]:
        return None
    return float(f"{own[2] / other[2]:.15g}")


def factors(target: str) -> dict[str, float]:
    """Every known unit text that can be turned into a unit, with its factor."""
    found = {text: factor(text, target) for text in known()}
    return {text: number for text, number in found.items() if number is not None}
