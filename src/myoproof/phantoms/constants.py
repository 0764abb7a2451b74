"""The loader of constants.toml: every number of the simulated cohorts, with its source."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from myoproof.errors import UnknownName

TAGS = ("published", "tuned", "proposal", "design")
"""The first word of every source."""


@cache
def constants() -> Mapping[str, Any]:
    """The whole file as nested mappings; treat it as read-only."""
    text = (files("myoproof.phantoms") / "constants.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(text))


def constant(name: str) -> Any:
    """The value of one constant.

    Parameters
    ----------
    name : str
        Dotted, for example ``"person.bulbar_share"``. A name that stands for a list of records
        (muscles, nerves) gives the records.

    Raises
    ------
    UnknownName
        If the file holds no such constant.

    Examples
    --------
    >>> constant("ultrasound.subjects")
    {'mild': 288, 'severe': 166}
    >>> constant("ultrasound.separations")
    Traceback (most recent call last):
        ...
    myoproof.errors.UnknownName: no constant 'ultrasound.separations'; see phantoms/constants.toml
    """
    found: Any = constants()
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise UnknownName(f"no constant {name!r}", mend="see phantoms/constants.toml")
        found = found[part]
    return found["value"] if isinstance(found, Mapping) and "value" in found else found
