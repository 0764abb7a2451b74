"""An import written as a study folder: one Parquet part of measurements, the subject tables, the record."""

from pathlib import Path

from myoproof.core.atomic import atomic_folder, atomic_path
from myoproof.core.table import COLUMNS
from myoproof.errors import NotWritable
from myoproof.sources.stage import Stage, quoted
from myoproof.workflow.folder import FORMAT, Act, active_parts, claim, refuse_foreign, write_json

CSV_ROWS = 1_000_000
"""Measurements beyond this are written as Parquet alone: no spreadsheet opens them."""
_BLANK = "'' AS centre, '' AS device, '' AS preset, '' AS protocol, '' AS digest"
_DAY = "any_value(v.day)::DOUBLE AS day"
ACQUISITIONS = (
    f"SELECT m.subject, m.session, '' AS run, m.modality, {_DAY}, {_BLANK} FROM visit_modalities m "
    "JOIN visits v USING (subject, session) GROUP BY ALL ORDER BY m.subject, m.session, m.modality"
)


def refuse_occupied(out: Path) -> None:
    """Raise where a folder holds anything but an earlier import.

    Raises
    ------
    NotWritable
        If it holds something else, or a study with other measurements.
    """
    refuse_foreign(out, "study folder")
    if (out / "raw").exists() or (active_parts(out) and not (out / "provenance" / "import.json").is_file()):
        raise NotWritable(
            "holds a study with other measurements", where=str(out), mend="import into a folder of its own"
        )


def write_study(stage: Stage, out: Path, act: Act, *, simulated: bool = False) -> None:
    """Write a study folder as a whole; an earlier import there is replaced.

    Parameters
    ----------
    stage : Stage
        With ``all_rows``, ``subjects``, ``visits``, ``events`` and ``covariates``.
    out : Path
        The study folder.
    act : Act
        What was done; its id is on every row.
    simulated : bool
        Whether every row is flagged as simulated.

    Raises
    ------
    NotWritable
        If it cannot be written.
    """
    with atomic_folder(out) as temporary:
        claim(temporary, "study folder")
        tables = temporary / "tables"
        (tables / "measurements").mkdir(parents=True)
        (temporary / "provenance").mkdir()
        rows = _measurements(act.id, simulated=simulated)
        _copy(stage, rows, tables / "measurements" / f"{act.id}.parquet")
        if stage.number("SELECT count(*) FROM all_rows") <= CSV_ROWS:
            _copy(stage, rows, tables / "measurements.csv")
        for name in ("subjects", "events", "covariates"):
            for suffix in (".parquet", ".csv"):
                _copy(stage, f"SELECT * FROM {name} ORDER BY subject", tables / f"{name}{suffix}")
        for suffix in (".parquet", ".csv"):
            _copy(stage, ACQUISITIONS, tables / f"acquisitions{suffix}")
        write_json(act.record, temporary / "provenance" / f"{act.id}.json")
        write_json({"act": act.id}, temporary / "provenance" / "import.json")
        write_json({"format": FORMAT, "active": [act.id]}, tables / "ledger.json")


def write_listing(stage: Stage, path: Path) -> None:
    """Write every row that a rule concerned, as CSV.

    Raises
    ------
    NotWritable
        If it cannot be written.
    """
    with atomic_path(path) as temporary:
        _copy(stage, "SELECT * FROM hits ORDER BY rule, file, row, subject", temporary)


def _measurements(provenance: str, *, simulated: bool) -> str:
    flags = "CASE WHEN flags = '' THEN 'simulated' ELSE flags || ';simulated' END" if simulated else "flags"
    constant = {
        "run": "''",
        "low": "NULL::DOUBLE",
        "high": "NULL::DOUBLE",
        "level": "NULL::DOUBLE",
        "quality": (
            "CASE WHEN flags LIKE '%unit_inferred%' OR flags LIKE '%comparator%' THEN 'warn' ELSE 'ok' END"
        ),
        "flags": flags,
        "method_version": "1::BIGINT",
        "provenance": quoted(provenance),
        "unit": "unit",
    }
    listed = ", ".join(
        f'{constant[name]} AS "{name}"' if name in constant else f'"{name}"' for name in COLUMNS
    )
    return f"SELECT {listed} FROM all_rows JOIN measure_units USING (measure)"


def _copy(stage: Stage, sql: str, path: Path) -> None:
    kind = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1" if path.suffix == ".parquet" else "HEADER"
    stage.run(f"COPY ({sql}) TO {quoted(str(path))} ({kind})")
