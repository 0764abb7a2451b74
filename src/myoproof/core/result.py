"""Result: what a study found, as estimate rows and prediction rows; saved to and read from a folder."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.atomic import atomic_path
from myoproof.core.study import Study
from myoproof.core.table import read_frame, text_column, write_table
from myoproof.errors import InvalidInput, NotReadable

ESTIMATES: dict[str, Any] = {
    "analysis": "",
    "term": "",
    "group": "",
    "day": np.nan,
    "method": "",
    "value": np.nan,
    "unit": "",
    "se": np.nan,
    "df": np.nan,
    "statistic": np.nan,
    "p": np.nan,
    "p_adjusted": np.nan,
    "low": np.nan,
    "high": np.nan,
    "level": np.nan,
    "n_subjects": np.nan,
    "n_rows": np.nan,
    "absent": "",
    "flags": "",
}
PREDICTIONS: dict[str, Any] = {
    "subject": "",
    "target": "",
    "candidate": "",
    "day": np.nan,
    "value": np.nan,
    "low": np.nan,
    "high": np.nan,
    "rank": np.nan,
    "support": "inside",
    "absent": "",
}
MODEL = "model.json"


@dataclass(frozen=True, slots=True)
class Result:
    """What a study found.

    Parameters
    ----------
    study : Study
        The question it answers.
    estimates, predictions : DataFrame
        Rows with the columns of ``ESTIMATES`` and ``PREDICTIONS``.
    provenance : str
        Id of the act that made it.
    simulated : bool
        True where any input row is simulated; shown wherever the result is.
    model : mapping
        What is needed to apply the answer to new subjects, as JSON has it; empty where nothing can be.
    """

    study: Study
    estimates: pd.DataFrame
    predictions: pd.DataFrame
    provenance: str = ""
    simulated: bool = False
    model: Mapping[str, Any] = field(default_factory=dict)


def estimates_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Estimate rows with all columns, in order.

    Raises
    ------
    InvalidInput
        If a row has an unknown column, or neither a value nor a reason for its absence.

    Examples
    --------
    >>> estimates_frame([{"analysis": "srm", "term": "volume/thigh/both", "value": 1.05}]).shape
    (1, 19)
    """
    frame = _frame(rows, ESTIMATES, "estimate")
    bare = frame["value"].isna() & frame["statistic"].isna() & (frame["absent"] == "")
    if bare.any():
        row = frame[bare].iloc[0]
        raise InvalidInput(
            f"estimate {row['analysis']}/{row['term']}/{row['group']} has neither value nor reason"
        )
    return frame


def predictions_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Prediction rows with all columns, in order.

    Raises
    ------
    InvalidInput
        If a row has an unknown column, or a value outside the method's domain.

    Examples
    --------
    >>> predictions_frame([{"subject": "s1", "target": "severity_axis", "value": 0.3}])["support"].tolist()
    ['inside']
    """
    frame = _frame(rows, PREDICTIONS, "prediction")
    if ((frame["support"] == "outside") & frame["value"].notna()).any():
        raise InvalidInput("a prediction outside the domain must have an empty value")
    return frame


def save_result(result: Result, folder: Path) -> None:
    """Write a result: study.json, estimates and predictions (Parquet and CSV), model.json, result.json.

    Every row of every table carries the study it answers as ``name@digest`` in its last column, ``study``.
    The manifest ``result.json`` is written last: a folder without it is unfinished.

    Raises
    ------
    NotWritable
        If a file cannot be written.
    """
    folder = Path(folder)
    for name, frame in (("estimates", result.estimates), ("predictions", result.predictions)):
        stamped = frame.assign(study=f"{result.study.name}@{result.study.digest}")
        write_table(stamped, folder / f"{name}.parquet")
        write_table(stamped, folder / f"{name}.csv")
    if result.model:
        with atomic_path(folder / MODEL) as temporary:
            temporary.write_text(json.dumps(dict(result.model)) + "\n", encoding="utf-8")
    with atomic_path(folder / "study.json") as temporary:
        temporary.write_text(result.study.model_dump_json(indent=2) + "\n", encoding="utf-8")
    manifest = {
        "format": 1,
        "study": result.study.name,
        "study_digest": result.study.digest,
        "provenance": result.provenance,
        "simulated": result.simulated,
    }
    with atomic_path(folder / "result.json") as temporary:
        temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def load_result(folder: Path) -> Result:
    """Read a result folder written by :func:`save_result`.

    Raises
    ------
    NotReadable
        If the folder holds no finished result.
    """
    folder = Path(folder)
    manifest_path = folder / "result.json"
    if not manifest_path.is_file():
        mend = "give a folder that `myoproof study run --out` wrote"
        raise NotReadable("holds no finished result", where=str(folder), mend=mend)
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        study = Study.model_validate_json((folder / "study.json").read_text(encoding="utf-8"))
        model = json.loads((folder / MODEL).read_text(encoding="utf-8")) if (folder / MODEL).is_file() else {}
    except (OSError, ValueError) as error:
        raise NotReadable(f"the result is damaged ({error})", where=str(folder)) from error
    return Result(
        study=study,
        estimates=_plain(_unstamped(folder / "estimates.parquet"), ESTIMATES),
        predictions=_plain(_unstamped(folder / "predictions.parquet"), PREDICTIONS),
        provenance=str(manifest["provenance"]),
        simulated=bool(manifest["simulated"]),
        model=model,
    )


def _unstamped(path: Path) -> pd.DataFrame:
    return read_frame(path).drop(columns="study", errors="ignore")


def _frame(rows: Iterable[Mapping[str, Any]], columns: dict[str, Any], what: str) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows))
    unknown = [name for name in frame if name not in columns]
    if unknown:
        raise InvalidInput(f"{what} rows have unknown columns {unknown}")
    for name, default in columns.items():
        if name not in frame:
            frame[name] = default
    return _plain(frame[list(columns)], columns)


def _plain(frame: pd.DataFrame, columns: dict[str, Any]) -> pd.DataFrame:
    typed = {
        name: text_column(frame[name]) if isinstance(default, str) else frame[name].astype(np.float64)
        for name, default in columns.items()
    }
    filled = pd.DataFrame(typed)
    if "support" in filled:
        filled["support"] = filled["support"].replace("", "inside")
    return filled
