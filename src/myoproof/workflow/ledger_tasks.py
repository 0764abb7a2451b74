"""Tasks: a piece of work named by what it is, and what the ledger knows of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from myoproof.core.provenance import provenance_id

State = Literal["waiting", "running", "done", "quarantined"]


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work; its id says what it is, whatever it is called and wherever it lies.

    Parameters
    ----------
    key : str
        What it is about, for people; one task a key in a manifest.
    act : str
        ``method@version`` of all that it does.
    parameters : mapping
        All parameters, defaults included.
    inputs : tuple of str
        Digests of the raw files.
    parents : tuple of str
        Ids that it builds on.
    work : mapping
        What the function needs beyond, for example paths: no part of the id.
    """

    key: str
    act: str
    parameters: Mapping[str, Any]
    inputs: tuple[str, ...]
    parents: tuple[str, ...] = ()
    work: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits; other parameters, inputs, method or code versions give another."""
        named = {"key": self.key, **self.parameters}
        return provenance_id(act=self.act, parameters=named, inputs=self.inputs, parents=self.parents)

    @property
    def record(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "key": self.key, "act": self.act, "parameters": dict(self.parameters),
            "inputs": list(self.inputs), "parents": list(self.parents), "work": dict(self.work),
        }  # fmt: skip

    @staticmethod
    def of(record: Mapping[str, Any]) -> "Task":
        """The task of a record."""
        lists = {name: tuple(record[name]) for name in ("inputs", "parents")}
        return Task(**{**record, **lists})


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger knows of a task.

    Parameters
    ----------
    task : Task
        The task.
    state : {"waiting", "running", "done", "quarantined"}
        How it stands.
    tries : int
        Attempts that failed by its own doing.
    reason, detail : str
        Why it failed last, in a sentence and at length.
    summary : Any
        What its function returned, plain JSON.
    """

    task: Task
    state: State
    tries: int
    reason: str
    detail: str
    summary: Any
