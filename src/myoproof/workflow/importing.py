"""Import: a registry's export becomes a study folder, the flow of rows and patients told."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures import clinical
from myoproof.registry import load
from myoproof.sources.identity import KEY_COLUMNS, read_key, write_key
from myoproof.sources.stage import Options, Stage, counts, opened
from myoproof.sources.traps import rules
from myoproof.workflow.folder import Act
from myoproof.workflow.importing_flow import flow, forms_flow, listing, summary
from myoproof.workflow.importing_scores import score
from myoproof.workflow.importing_write import refuse_occupied, write_listing, write_study

KINDS = {"proact": "proact", "redcap": "redcap", "bids": "bids-tables", "csv": "csv-mapping"}
"""Command -> name in the registry of sources."""
Told = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """How an import is done.

    Parameters
    ----------
    out : Path, optional
        Study folder to write; left out, the export is only looked at.
    report : Path, optional
        Folder for the flow as figure and tables; ``OUT/delivery/import`` where left out and ``out`` is given.
    go_on : bool
        Import although there are faults: what they concern is left out.
    salt : str
        Secret for pseudonyms; see :class:`myoproof.sources.stage.Options`.
    key : Path, optional
        Key file (who is who), read and written, outside of the study.
    scores : Params
        Settings of stages and rates.
    threads : int
        Threads.
    memory_gb : float
        What the database may hold in memory.
    extra : mapping
        What the importer itself takes, for example ``mapping`` of plain CSV.
    simulated : bool
        Whether the data are simulated; every row then says so.
    """

    out: Path | None = None
    report: Path | None = None
    go_on: bool = False
    salt: str = ""
    key: Path | None = None
    scores: clinical.Params = field(default_factory=clinical.Params)
    threads: int = 1
    memory_gb: float = 2.0
    extra: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import found.

    Parameters
    ----------
    rules : DataFrame
        Every rule: rule, trap, level, rows, patients, what, done.
    flow : DataFrame
        Patients step by step: step, patients, reason.
    forms : DataFrame
        Rows of each form: form, rule, rows, patients.
    tables : DataFrame
        What the study holds: measure, rows, patients, absent.
    stages : DataFrame
        Stages that change with the settings implementations disagree on: setting, visits, patients.
    listing : DataFrame
        The first rows concerned by errors: rule, file, row, subject, day, detail.
    act : str
        Provenance id; "" where nothing was written.
    """

    rules: pd.DataFrame
    flow: pd.DataFrame
    forms: pd.DataFrame
    tables: pd.DataFrame
    stages: pd.DataFrame
    listing: pd.DataFrame
    act: str = ""

    @property
    def faults(self) -> pd.DataFrame:
        """The rules of level error that met something."""
        return self.rules[(self.rules["level"] == "error") & (self.rules["rows"] > 0)]


def run(
    kind: str, source: Path, settings: Settings = Settings(), *, progress: Told = lambda _what, _share: None
) -> Imported:
    """Import a registry.

    Parameters
    ----------
    kind : str
        ``proact``, ``redcap``, ``bids`` or ``csv``.
    source : Path
        The export: a folder or a file.
    settings : Settings
        How.
    progress : callable
        Told what is done, and the share of the whole.

    Returns
    -------
    Imported
        Where ``out`` is given and there are faults but ``go_on`` is not: with ``act`` "" and nothing written;
        :func:`refuse_faults` then says what they are.

    Raises
    ------
    NotReadable
        If the export cannot be read at all.
    NotWritable
        If the study folder holds something else.
    """
    reader = load("sources", KINDS[kind])
    if settings.out is not None:
        refuse_occupied(settings.out)
    place = settings.out.resolve().parent if settings.out is not None else None
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
    known = {row["patient_id"]: row["subject"] for row in read_key(settings.key)} if settings.key else {}
    options = Options(settings.salt, known, settings.threads, settings.memory_gb)
    with (
        tempfile.TemporaryDirectory(prefix=".import-", dir=place) as scratch,
        opened(Path(scratch), options) as stage,
    ):
        digests = reader(stage, source, progress=progress, **settings.extra)
        progress("scores", 0.7)
        stages = score(stage, settings.scores)
        found = _found(stage, stages)
        act = _act(kind, settings, digests)
        writable = settings.out is not None and (settings.go_on or found.faults.empty)
        if writable and settings.out is not None:
            progress("writing", 0.75)
            write_study(stage, settings.out, act, simulated=settings.simulated)
            if settings.key is not None:
                _keep_key(stage, settings.key, settings.out)
        _report(stage, found, settings, written=writable)
        return Imported(**{name: getattr(found, name) for name in _FIELDS}, act=act.id if writable else "")


def rule_table() -> pd.DataFrame:
    """Every rule of import: rule, trap, level, what, done, source."""
    return pd.DataFrame([asdict(one) for one in rules().values()]).rename(columns={"name": "rule"})


def refuse_faults(found: Imported, where: str) -> None:
    """Raise all faults of an import together.

    Raises
    ------
    InvalidInput
        If there is a fault.
    """
    refuse(
        [
            Finding(
                "error", row["rule"], f"{row['rule']}: {row['what']} ({row['rows']} rows)", mend=row["done"]
            )
            for row in found.faults.to_dict("records")
        ],
        where=where,
    )


_FIELDS = ("rules", "flow", "forms", "tables", "stages", "listing")


def _found(stage: Stage, stages: pd.DataFrame) -> Imported:
    rules = counts(stage)
    return Imported(rules, flow(stage), forms_flow(stage), summary(stage), stages, listing(stage))


def _act(kind: str, settings: Settings, digests: tuple[str, ...]) -> Act:
    """The act: what was imported and how; the salt itself stays out."""
    extra = {name: str(value) for name, value in settings.extra.items() if not isinstance(value, Path)}
    parameters = {
        "scores": asdict(settings.scores),
        "go_on": settings.go_on,
        "salted": bool(settings.salt),
        **extra,
    }
    return Act(f"import:{kind}@1", parameters, digests)


def _keep_key(stage: Stage, key: Path, out: Path) -> None:
    people = stage.frame("SELECT subject, subject_text FROM people ORDER BY subject")
    blank = dict.fromkeys(KEY_COLUMNS, "")
    rows = [
        {**blank, "subject": subject, "patient_id": text}
        for subject, text in zip(people["subject"], people["subject_text"], strict=True)
    ]
    write_key(rows, key, out)


def _report(stage: Stage, found: Imported, settings: Settings, *, written: bool) -> None:
    place = settings.report
    if place is None and written and settings.out is not None:
        place = settings.out / "delivery" / "import"
    if place is None:
        return
    if settings.out is not None and not written and settings.out.resolve() in place.resolve().parents:
        raise InvalidInput("the report would lie in a study that was not written", where=str(place))
    writer = load("writers", "import-flow")
    writer(
        {name: getattr(found, name) for name in ("rules", "flow", "forms", "stages")},
        place,
        simulated=settings.simulated,
    )
    write_listing(stage, place / "rows.csv")
