"""The rules of import: what may be wrong in a registry's export, how bad it is, what is done."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from myoproof.errors import UnknownName

LEVELS = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of import.

    Parameters
    ----------
    name : str
        The rule's name, as counters and listings carry it.
    trap : str
        Number of the trap in registries of ALS (1 to 20), or ``input`` for faults of any table.
    level : {"error", "warning", "info"}
        Error: something is left out, and nothing is imported unless asked to go on. Warning: something is
        interpreted. Info: kept as it is, and told.
    what, done : str
        What is found, and what is done about it.
    source : str
        Where it was seen.
    """

    name: str
    trap: str
    level: Literal["error", "warning", "info"]
    what: str
    done: str
    source: str = ""


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by name, in the order of ``traps.csv``.

    Examples
    --------
    >>> rules()["vital_status_unknown"].done
    'status unknown, not alive'
    """
    text = (files("myoproof.sources") / "traps.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        name = row.pop("rule")
        found[name] = Rule(name, **row)  # type: ignore[arg-type]
    return MappingProxyType(found)


def rule(name: str) -> Rule:
    """One rule.

    Raises
    ------
    UnknownName
        If there is no such rule.
    """
    if name not in rules():
        raise UnknownName(f"no rule of import {name!r}", mend="see sources/traps.csv")
    return rules()[name]
