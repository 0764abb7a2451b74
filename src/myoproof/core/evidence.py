"""Evidence: rows that say how well a method or a study holds, against what, and by which criterion."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.table import text_column
from myoproof.errors import InvalidInput

EVIDENCE: dict[str, Any] = {
    "about": "",
    "kind": "",
    "metric": "",
    "value": np.nan,
    "low": np.nan,
    "high": np.nan,
    "level": np.nan,
    "n": np.nan,
    "population": "",
    "reference": "",
    "criterion": "",
    "verdict": "",
    "date": "",
    "version": "",
}
VERDICTS = ("pass", "fail", "inconclusive", "")
"""An empty verdict describes without judging."""


def evidence_frame(rows: Iterable[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """Evidence rows with all columns, in order.

    Parameters
    ----------
    rows : iterable of mappings, or DataFrame
        ``about`` is ``method@version`` or ``study@digest``; ``n`` counts independent units.

    Raises
    ------
    InvalidInput
        If a column or verdict is unknown, or a verdict stands without a criterion.

    Examples
    --------
    >>> evidence_frame([{"about": "dixon@1", "kind": "agreement", "metric": "bias", "value": 0.001}]).shape
    (1, 14)
    """
    frame = rows.copy() if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    unknown = [name for name in frame if name not in EVIDENCE]
    if unknown:
        raise InvalidInput(f"evidence rows have unknown columns {unknown}")
    for name, default in EVIDENCE.items():
        if name not in frame:
            frame[name] = default
        frame[name] = text_column(frame[name]) if isinstance(default, str) else frame[name].astype(np.float64)
    odd = sorted(set(frame["verdict"]) - set(VERDICTS))
    if odd:
        raise InvalidInput(f"unknown verdicts {odd}", mend="use pass, fail or inconclusive")
    if ((frame["verdict"] != "") & (frame["criterion"] == "")).any():
        raise InvalidInput("a verdict needs the criterion it was judged by")
    return frame[list(EVIDENCE)].reset_index(drop=True)
