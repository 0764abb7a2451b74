"""`myoproof import`: a registry's export in, a study folder out, every rule counted."""

from pathlib import Path
from typing import Annotated, Any

import typer

from myoproof.cli.options import CORES, Threads
from myoproof.cli.printing import error_console, escape, out_console, print_frame, progress, workflow

commands = typer.Typer(
    no_args_is_help=True, help="Bring a registry in: PRO-ACT, REDCap, BIDS tables, plain CSV with a mapping."
)

Out = Annotated[
    Path | None, typer.Option(help="Study folder to write; left out, the export is only looked at.")
]
Report = Annotated[
    Path | None,
    typer.Option(help="Folder for flow.svg, rules.csv and rows.csv; OUT/delivery/import by default."),
]
GoOn = Annotated[
    bool, typer.Option("--go-on", help="Import although there are faults, without what they concern.")
]
Salt = Annotated[str, typer.Option(help="Secret: pseudonyms become a hash of the source's numbers.")]
Key = Annotated[Path | None, typer.Option(help="Key file (who is who), outside of the study.")]
Memory = Annotated[
    float, typer.Option("--memory-gb", min=0.3, help="Memory of the database; more goes to disk.")
]
Zero = Annotated[
    bool, typer.Option("--kings-zero", help="King's stage 0, not 1, where no region is affected.")
]
Either = Annotated[
    bool, typer.Option("--mitos-or", help="MiToS: communication lost where speech or handwriting is lost.")
]
Simulated = Annotated[bool, typer.Option("--simulated", help="The data are simulated: every row says so.")]
Mapping = Annotated[Path, typer.Option("--map", help="Mapping file (TOML): which column is what.")]


@commands.command("proact")
def import_proact(
    folder: Annotated[Path, typer.Argument(help="Folder of PROACT_*.csv or F_PROACT_*.csv.")],
    out: Out = None,
    report: Report = None,
    go_on: GoOn = False,
    salt: Salt = "",
    key: Key = None,
    kings_zero: Zero = False,
    mitos_or: Either = False,
    simulated: Simulated = False,
    threads: Threads = CORES,
    memory_gb: Memory = 2.0,
) -> None:
    """A PRO-ACT release."""
    _run("proact", folder, locals())


@commands.command("redcap")
def import_redcap(
    export: Annotated[Path, typer.Argument(help="Export, CSV: raw codes or labels.")],
    mapping: Mapping,
    dictionary: Annotated[Path | None, typer.Option(help="Data dictionary, CSV.")] = None,
    out: Out = None,
    report: Report = None,
    go_on: GoOn = False,
    salt: Salt = "",
    key: Key = None,
    kings_zero: Zero = False,
    mitos_or: Either = False,
    simulated: Simulated = False,
    threads: Threads = CORES,
    memory_gb: Memory = 2.0,
) -> None:
    """A REDCap export with its data dictionary."""
    given = locals()
    _run("redcap", export, given, {"mapping": mapping, "dictionary": dictionary})


@commands.command("bids")
def import_bids(
    folder: Annotated[Path, typer.Argument(help="BIDS data set with participants.tsv and phenotype/.")],
    mapping: Annotated[
        Path | None, typer.Option("--map", help="Mapping file (TOML) for phenotype columns.")
    ] = None,
    out: Out = None,
    report: Report = None,
    go_on: GoOn = False,
    salt: Salt = "",
    key: Key = None,
    kings_zero: Zero = False,
    mitos_or: Either = False,
    simulated: Simulated = False,
    threads: Threads = CORES,
    memory_gb: Memory = 2.0,
) -> None:
    """Participants, sessions and phenotype tables of a BIDS data set."""
    given = locals()
    _run("bids", folder, given, {"mapping": mapping})


@commands.command("csv")
def import_csv(
    folder: Annotated[Path, typer.Argument(help="Folder of the tables, or one table.")],
    mapping: Mapping,
    out: Out = None,
    report: Report = None,
    go_on: GoOn = False,
    salt: Salt = "",
    key: Key = None,
    kings_zero: Zero = False,
    mitos_or: Either = False,
    simulated: Simulated = False,
    threads: Threads = CORES,
    memory_gb: Memory = 2.0,
) -> None:
    """Plain tables, also of a vendor's own software, with a mapping file."""
    given = locals()
    _run("csv", folder, given, {"mapping": mapping})


@commands.command("rules")
def import_rules() -> None:
    """Every rule of import: what is found, and what is done."""
    print_frame(workflow("importing").rule_table())


def _run(kind: str, source: Path, given: dict[str, Any], extra: dict[str, Any] | None = None) -> None:
    module = workflow("importing")
    scores = module.clinical.Params(
        kings_without_region=0 if given["kings_zero"] else 1,
        communication="or" if given["mitos_or"] else "and",
    )
    taken = ("out", "report", "go_on", "salt", "key", "threads", "memory_gb", "simulated")
    settings = module.Settings(scores=scores, extra=extra or {}, **{name: given[name] for name in taken})
    with progress() as told:
        found = module.run(kind, source, settings, progress=told)
    met = found.rules[found.rules["rows"] > 0]
    print_frame(met[["rule", "trap", "level", "rows", "patients", "what", "done"]], "Rules")
    print_frame(found.forms, "Rows")
    print_frame(found.flow, "Patients")
    print_frame(found.stages, "Stages that depend on a setting")
    if len(found.faults):
        first = found.listing[found.listing["rule"].isin(found.faults["rule"])].astype(object)
        print_frame(first.where(first.notna(), ""), "First rows of faults")
    if found.act:
        out_console.print(escape(f"{int(found.tables['rows'].sum())} rows in {given['out']}"))
        return
    if not found.faults.empty and given["out"] is not None:
        error_console.print("Nothing was imported. To import without what is at fault: --go-on")
        module.refuse_faults(found, str(source))
    out_console.print("Nothing was written. To write a study: --out STUDY")
