"""Columns of numbers and words as a numeric design, learnt once and applied to other rows alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, refuse

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coding:
    """How columns become numbers.

    Parameters
    ----------
    columns : tuple of (name, levels)
        Levels of a column of words, the first one the reference; empty for a column of numbers.
    """

    columns: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the design's columns: ``age_years``, ``sex: male``."""
        return tuple(
            f"{name}: {level}" if level else name
            for name, levels in self.columns
            for level in (levels[1:] if levels else ("",))
        )


def learn(columns: Mapping[str, Sequence[object] | npt.NDArray[np.generic]]) -> Coding:
    """The coding of some columns: words by level in alphabetical order, numbers as they are.

    Parameters
    ----------
    columns : mapping of str to sequence
        Name -> values; "" or None is a missing word, NaN a missing number.

    Examples
    --------
    >>> learn({"age": [50.0, 61.0], "sex": ["male", "female"]}).names
    ('age', 'sex: male')
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, values in columns.items():
        array = np.asarray(values)
        if array.dtype.kind in "fiub":
            found.append((name, ()))
        else:
            found.append((name, tuple(sorted({str(v) for v in array.tolist() if v not in ("", None)}))))
    return Coding(tuple(found))


def encode(coding: Coding, columns: Mapping[str, Sequence[object] | npt.NDArray[np.generic]]) -> Floats:
    """Rows as the numbers of a coding.

    Parameters
    ----------
    coding : Coding
        From :func:`learn`, perhaps of other rows.
    columns : mapping of str to sequence
        Name -> values.

    Returns
    -------
    (n, q) float64
        NaN where a value is missing.

    Raises
    ------
    InvalidInput
        If a word was not among those learnt.

    Examples
    --------
    >>> encode(learn({"arm": ["a", "b", "c"]}), {"arm": ["c", "a", ""]}).tolist()
    [[0.0, 1.0], [0.0, 0.0], [nan, nan]]
    """
    parts: list[Floats] = []
    findings = []
    n = 0
    for name, levels in coding.columns:
        array = np.asarray(columns[name])
        n = len(array)
        if array.dtype.kind in "fiub":
            parts.append(array.astype(np.float64)[:, None])
            continue
        texts = np.array(["" if v is None else str(v) for v in array.tolist()])
        odd = sorted(set(texts.tolist()) - {"", *levels})
        if odd:
            message = f"{name} holds {', '.join(odd)}, which was not seen when the model was fitted"
            findings.append(Finding("error", "unseen_level", message, mend=f"known: {', '.join(levels)}"))
        hits = (texts[:, None] == np.array(levels[1:], dtype=np.str_)).astype(np.float64)
        hits[texts == ""] = np.nan
        parts.append(hits)
    refuse(findings)
    return np.column_stack(parts) if parts else np.empty((n, 0))
