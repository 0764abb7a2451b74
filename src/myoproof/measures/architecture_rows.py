"""Rows of one region: readings of its frames joined, with unit, interval, flags and quality."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from myoproof.measures.architecture_intervals import limits
from myoproof.measures.architecture_longitudinal import OF_FASCICLES, Reading
from myoproof.measures.architecture_params import DOUBTFUL
from myoproof.vocabulary.lookup import words

Row = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Region:
    """What the rows of a region share.

    Parameters
    ----------
    start : mapping
        Their key.
    calibrated : bool
        Whether the picture has a scale.
    trust : float, optional
        Confidence that the segmenter states; None where it states none.
    level : float
        Coverage of intervals.
    """

    start: Row
    calibrated: bool
    trust: float | None
    level: float

    def rows(
        self, names: Sequence[Key], readings: Mapping[int, Reading | None], reason: str
    ) -> Iterator[Row]:
        """A row for each name, and for each frame of several; all absent where there is a reason."""
        known = {frame: one for frame, one in readings.items() if one is not None}
        why = reason or ("" if known else "insufficient_data")
        for key in names:
            head = {**self.start, "measure": key[0], "at": key[1]}
            if why:
                yield {**head, **self._dressed(key, frozenset()), "absent": why, "quality": "fail"}
                continue
            yield {**head, **self._joined(list(known.values()), key)}
            if len(known) > 1 and not key[1]:
                for frame, one in known.items():
                    yield {**head, "at": f"image:{frame + 1}", **self._joined([one], key)}

    def _joined(self, readings: list[Reading], key: Key) -> Row:
        """The mean over frames that tell a value; absent where none does."""
        told = [one for one in readings if np.isfinite(one.values[key])]
        if not told:
            absent = readings[0].reasons.get(key, "not_defined")
            return {**self._dressed(key, frozenset()), "absent": absent, "quality": "fail"}
        flags: frozenset[str] = frozenset().union(*(one.flags.get(key, frozenset()) for one in told))
        doubt = self.trust is not None and self.trust < DOUBTFUL
        if key[0] in OF_FASCICLES:
            doubt |= min(one.fit.confidence for one in told) < DOUBTFUL
        row = {**self._dressed(key, flags), "value": float(np.mean([one.values[key] for one in told]))}
        ends = [limits(one, key, self.trust, self.level) for one in told]
        held = [pair for pair in ends if pair is not None]
        if len(held) == len(told):
            low, high = (float(np.mean([pair[k] for pair in held])) for k in (0, 1))
            row |= {"low": low, "high": high, "level": self.level}
        return {**row, "quality": "warn" if doubt else "ok"}

    def _dressed(self, key: Key, flags: frozenset[str]) -> Row:
        """Unit and flags."""
        word = words("measures")[key[0]]
        bare = not self.calibrated and bool(word["unit_uncalibrated"])
        flags = flags | {"uncalibrated"} if bare else flags
        unit = word["unit_uncalibrated"] if bare else word["unit"]
        return {"unit": unit, "flags": ";".join(sorted(flags))}
