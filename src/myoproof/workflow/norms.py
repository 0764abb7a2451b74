"""Norms as two acts: fit them on controls and keep them, hold rows against them."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from myoproof.core.atomic import atomic_path
from myoproof.core.provenance import digest_bytes
from myoproof.core.table import Table, write_table
from myoproof.errors import Finding, InvalidInput, NotReadable
from myoproof.measures import zscores, zscores_fit
from myoproof.measures.zscores_norms import Norm, NormFile, from_json, to_json
from myoproof.workflow import folder as study_folder

ACT = f"{zscores.METHOD}@{zscores.METHOD_VERSION}"


@dataclass(frozen=True, slots=True)
class Applied:
    """What holding rows against norms gave.

    Parameters
    ----------
    rows : Table
        z-scores.
    summary : DataFrame
        A line a measure and reason: how many have a z, and why others have none.
    """

    rows: Table
    summary: pd.DataFrame


def fit_norms(
    cohort_path: Path,
    out: Path,
    *,
    params: zscores_fit.Params,
    rows_path: Path | None = None,
    checks: Path | None = None,
) -> zscores_fit.Learnt:
    """Fit norms on the controls of a cohort, and write them as JSON.

    Parameters
    ----------
    cohort_path : Path
        Study folder, or folder of plain CSVs (subjects, acquisitions, measurements).
    out : Path
        The norm file.
    params : Params
        Terms, and who is a control.
    rows_path : Path, optional
        Rows instead of the cohort's own.
    checks : Path, optional
        The table of fit checks as CSV.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty tables, for controls that give no norm, or an output in the way.
    """
    cohort, rows = study_folder.read_cohort_and_rows(cohort_path, rows_path)
    learnt = zscores_fit.learn(rows, cohort, params=params)
    with atomic_path(Path(out)) as temporary:
        temporary.write_text(to_json(learnt.file), encoding="utf-8")
    if checks is not None:
        write_table(learnt.checks, checks)
    return learnt


def apply_norms(
    norm_paths: list[Path],
    cohort_path: Path,
    out: Path,
    *,
    rows_path: Path | None = None,
    gain_sd_db: float | None = None,
    into: Path | None = None,
) -> Applied:
    """Hold a cohort's rows against norm files, and write the rows of z.

    Parameters
    ----------
    norm_paths : list of Path
        Norm files.
    cohort_path : Path
        Study folder, or folder of plain CSVs.
    out : Path
        Rows as CSV or Parquet; a provenance record is written beside it.
    rows_path : Path, optional
        Rows instead of the cohort's own.
    gain_sd_db : float, optional
        How far the gain strays, instead of what the norms state.
    into : Path, optional
        Study folder that the rows are added to.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For damaged norms (every fault together), faulty tables, or an output in the way.
    """
    if into is not None:
        study_folder.refuse_foreign(into, "study folder")
    texts = [_text(path) for path in norm_paths]
    files = tuple(from_json(text, where=str(path)) for text, path in zip(texts, norm_paths, strict=True))
    cohort, rows = study_folder.read_cohort_and_rows(cohort_path, rows_path)
    params = zscores.Params(files=files, gain_sd_db=gain_sd_db)
    made = zscores.derive(rows, cohort, params=params)
    if made.empty:
        held = ", ".join(sorted({norm.measure for file in files for norm in file.norms}))
        raise InvalidInput(f"no row is of a measure that the norms hold ({held})", where=str(cohort_path))
    inputs = (*study_folder.input_digests(cohort_path), *(digest_bytes(text.encode()) for text in texts))
    settings = {"gain_sd_db": gain_sd_db, "own_error": params.own_error, "level": params.level}
    act = study_folder.Act(ACT, settings, inputs)
    made = Table(made.assign(provenance=act.id))
    write_table(made, out)
    study_folder.write_json(act.record, out.with_name(out.name + ".provenance.json"))
    if into is not None:
        study_folder.add_part(into, made, act)
    return Applied(made, _summary(made))


def norm_frame(file: NormFile) -> pd.DataFrame:
    """A line a norm, for people: what it holds for, its regression, n and residual SD.

    Parameters
    ----------
    file : NormFile
        Norms.
    """
    return pd.DataFrame(
        {
            "norm": ", ".join(
                filter(None, (norm.measure, norm.site, norm.side, norm.view, norm.device, norm.preset))
            ),
            "regression": _formula(norm),
            "subjects": norm.n_subjects,
            "residual SD": (norm.variance_between + norm.variance_within) ** 0.5,
        }
        for norm in file.norms
    )


def shown(checks: pd.DataFrame) -> pd.DataFrame:
    """The checks that a terminal has room for."""
    names = checks["site"] + ", " + checks["device"]
    kept = checks[["n_subjects", "n_rows", "rmse", "r2", "left_out_sd", "beyond", "spread_p", "age_curve_p"]]
    kept = kept.set_axis(["people", "rows", "RMSE", "R2", "z SD", "|z|>2", "p spread", "p curve"], axis=1)
    return pd.concat([names.rename("norm"), kept], axis=1)


def device_numbers(text: str, option: str) -> dict[str, float]:
    """Numbers a device from ``1.5`` or ``device-a=1.5,device-b=1``.

    Parameters
    ----------
    text : str
        What the user wrote; "" gives none.
    option : str
        The option's name, for messages.

    Raises
    ------
    InvalidInput
        If a part is no number.

    Examples
    --------
    >>> device_numbers("60", "x"), device_numbers("a=60, b=72", "x")
    ({'': 60.0}, {'a': 60.0, 'b': 72.0})
    """
    found: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        device, _, number = part.rpartition("=")
        try:
            found[device.strip()] = float(number)
        except ValueError as error:
            raise InvalidInput(
                f"{option} takes numbers, not {part!r}", mend="write 60, or DEVICE=60,OTHER=72"
            ) from error
    return found


def file_findings(learnt: zscores_fit.Learnt) -> list[Finding]:
    """What a reader of the fit should look at: remarks, and checks that are out of the ordinary."""
    remarks = list(learnt.findings)
    for row in learnt.checks.to_dict("records"):
        where = f"{row['measure']}/{row['site']}"
        if row["spread_p"] < 0.01:
            remarks.append(
                Finding("warning", "spread", "the spread depends on the terms", where, "try --log")
            )
        if row["age_curve_p"] < 0.01:
            remarks.append(
                Finding("warning", "curve", "age is not a straight line", where, "add age_years^2")
            )
        if row["leverage"] > 1:
            remarks.append(
                Finding("warning", "leverage", "one control moves the regression by itself", where)
            )
    return remarks


def _formula(norm: Norm) -> str:
    parts = []
    for term, value in zip(norm.terms, norm.coefficients, strict=True):
        name = f"{term.name}={term.word}" if term.word else term.name
        name = name if term.transform == "identity" else f"{term.transform}({name})"
        parts.append(f"{value:.4g}" if term.name == "intercept" else f"{value:+.3g} {name}")
    return " ".join(parts)


def _summary(rows: pd.DataFrame) -> pd.DataFrame:
    told = rows.assign(result=rows["absent"].where(rows["absent"] != "", "z"))
    counts = told.groupby(["measure", "result"], as_index=False, sort=True).agg(
        rows=("value", "size"), subjects=("subject", "nunique"), median=("value", "median")
    )
    return pd.DataFrame(counts)


def _text(path: Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotReadable(f"the norm file cannot be read ({error})", where=str(path)) from error
