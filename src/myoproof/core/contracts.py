"""Contracts: what a registered measure and a registered study kind look like, and how progress is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from myoproof.core.acquisition import Acquisition
from myoproof.core.cohort import Cohort
from myoproof.core.result import Result
from myoproof.core.segmentation import Segmentation
from myoproof.core.study import Study
from myoproof.core.table import Table

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done, 0-1."""


def silent(what: str, share: float) -> None:
    """Progress that tells nobody."""
    del what, share


class Measure(Protocol):
    """An acquisition and its regions become rows.

    The module also has ``METHOD`` (text), ``METHOD_VERSION`` (integer, raised when numbers move) and
    ``Params`` (a frozen dataclass whose defaults are the method's).
    """

    def __call__(
        self,
        acquisition: Acquisition,
        segmentation: Segmentation,
        *,
        context: object = ...,
        params: Any = ...,
    ) -> Table:
        """Measure; the inputs stay as they are, an empty region gives absent rows."""
        ...


class Derivation(Protocol):
    """Rows follow from rows: asymmetry, staging, z-scores.

    The module also has ``METHOD``, ``METHOD_VERSION`` and ``Params``, as a measure has.
    """

    def __call__(self, rows: Table, cohort: Cohort | None = None, *, params: Any = ...) -> Table:
        """Derive; the given rows stay as they are, what cannot be derived is absent with its reason."""
        ...


class StudyKind(Protocol):
    """A cohort and a written question become a result.

    The module also has ``METHOD``, ``METHOD_VERSION`` and ``Parameters`` (a strict model of the study's
    ``[method]`` table).
    """

    def __call__(
        self,
        cohort: Cohort,
        study: Study,
        *,
        rng: np.random.Generator,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> Result:
        """Run; the result is the same for any number of threads."""
        ...


@dataclass(frozen=True, slots=True)
class NullCohorts:
    """Cohorts like a given one in which a study has nothing to find.

    Parameters
    ----------
    what : str
        What was taken away, in words a report prints.
    draw : callable
        ``draw(rng) -> (cohort, study)``: one such cohort, and the study to run on it.
    """

    what: str
    draw: Callable[[np.random.Generator], tuple[Cohort, Study]]


class NullOf(Protocol):
    """A cohort and a study become cohorts under the study's null hypothesis."""

    def __call__(self, cohort: Cohort, study: Study) -> NullCohorts:
        """Prepare the draws; the cohort stays as it is."""
        ...
