"""Harmonisation as two acts: fit a model on a cohort and keep it, apply it to rows with its evidence."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from myoproof.core.atomic import atomic_path
from myoproof.core.cohort import Cohort
from myoproof.core.evidence import evidence_frame
from myoproof.core.provenance import digest_bytes
from myoproof.core.table import Table, is_simulated, write_table
from myoproof.delivery.harmonise import Change, change_drawing
from myoproof.errors import Finding, NotReadable
from myoproof.evidence import harmonisation
from myoproof.measures.harmonise import (
    METHOD,
    METHOD_VERSION,
    Model,
    Panel,
    Params,
    learn_sites,
    matched_scans,
    take_out,
)
from myoproof.measures.harmonise_model import from_json, to_json
from myoproof.numerics.combat import Settings
from myoproof.workflow import folder as study_folder

ACT = f"{METHOD}@{METHOD_VERSION}"


@dataclass(frozen=True, slots=True)
class Harmonised:
    """What applying a model gave.

    Parameters
    ----------
    rows : Table
        Harmonised rows.
    evidence : DataFrame
        Residual site variance and kept biology.
    findings : list of Finding
        Remarks.
    written : list of Path
        Files.
    """

    rows: Table
    evidence: pd.DataFrame
    findings: list[Finding]
    written: list[Path]


def fit_model(
    cohort_path: Path, out: Path, *, params: Params, rows_path: Path | None = None
) -> tuple[Model, list[Finding]]:
    """Fit on a cohort, and write the model as JSON.

    Parameters
    ----------
    cohort_path : Path
        Study folder, or folder of plain tables.
    out : Path
        JSON file.
    params : Params
        Settings.
    rows_path : Path, optional
        Rows to learn from instead of the cohort's, as of the training subjects.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty tables, for a design that cannot be harmonised (named findings), or an output in the way.
    """
    cohort, rows = study_folder.read_cohort_and_rows(cohort_path, rows_path)
    model, findings = learn_sites(rows, cohort, params=params)
    with atomic_path(Path(out)) as temporary:
        temporary.write_text(to_json(model), encoding="utf-8")
    return model, findings


def apply_model(
    model_path: Path,
    cohort_path: Path,
    out: Path,
    *,
    rows_path: Path | None = None,
    figure: Path | None = None,
    evidence: Path | None = None,
    into: Path | None = None,
) -> Harmonised:
    """Apply a kept model, and write rows, a before/after figure and evidence rows.

    Parameters
    ----------
    model_path : Path
        From :func:`fit_model`.
    cohort_path : Path
        Study folder, or folder of plain tables.
    out : Path
        Rows as CSV or Parquet; a provenance record is written beside it.
    rows_path : Path, optional
        Rows to harmonise instead of the cohort's.
    figure, evidence : Path, optional
        SVG (one a modality: the name gains it where there are several), and CSV.
    into : Path, optional
        Study folder that the rows are added to.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For a damaged model, an unseen site, or an output in the way.
    """
    if into is not None:
        study_folder.refuse_foreign(into, "study folder")
    try:
        text = Path(model_path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotReadable(f"the model cannot be read ({error})", where=str(model_path)) from error
    model = from_json(text, where=str(model_path))
    cohort, rows = study_folder.read_cohort_and_rows(cohort_path, rows_path)
    table, findings = take_out(rows, cohort, model)
    inputs = (*study_folder.input_digests(cohort_path), digest_bytes(text.encode()))
    act = study_folder.Act(ACT, {"params": asdict(model.params)}, inputs)
    table = Table(table.assign(provenance=act.id))
    about = f"{METHOD}@{METHOD_VERSION}"
    held = set(rows["modality"])
    panels = [panel for panel in model.panels if panel.modality in held]
    parts = [_evidence(rows, cohort, model, panel, about) for panel in panels]
    found = evidence_frame(pd.concat(parts, ignore_index=True)) if parts else evidence_frame([])
    write_table(table, out)
    study_folder.write_json(act.record, out.with_name(out.name + ".provenance.json"))
    written = [out]
    if figure is not None:
        written += _figures(rows, cohort, model, panels, figure)
    if evidence is not None:
        write_table(found, evidence)
        written.append(evidence)
    if into is not None:
        study_folder.add_part(into, table, act)
    return Harmonised(table, found, findings, written)


def summary(model: Model) -> pd.DataFrame:
    """A line a modality: sites with the subjects they were learnt from, features, kept columns."""
    return pd.DataFrame(
        {
            "modality": panel.modality,
            "sites": ", ".join(
                f"{site} ({n})" for site, n in zip(panel.combat.sites, panel.combat.counts, strict=True)
            ),
            "features": len(panel.features),
            "kept": ", ".join(model.coding.names),
        }
        for panel in model.panels
    )


def params_of(
    site: str,
    preserve: Sequence[str],
    modalities: Sequence[str],
    session: str,
    *,
    variant: tuple[bool, bool, bool, str],
    allow_unbalanced: bool = False,
) -> Params:
    """Settings from the words of a command; variant: parametric, empirical Bayes, mean only, reference."""
    return Params(
        site=site,
        preserve=tuple(preserve),
        modalities=tuple(modalities),
        session=session,
        allow_unbalanced=allow_unbalanced,
        settings=Settings(*variant),
    )


def _evidence(rows: Table, cohort: Cohort, model: Model, panel: Panel, about: str) -> pd.DataFrame:
    matched, after = matched_scans(rows, cohort, model, panel)
    simulated = "simulated: " if is_simulated(rows) else ""
    learnt = int(panel.combat.counts.sum())
    sites = len(panel.combat.sites)
    told = f"{simulated}{panel.modality}, {len(after)} subjects, {sites} sites; learnt from {learnt}"
    return harmonisation.check(
        matched.scans.values,
        after,
        matched.sites,
        covariates=matched.covariates,
        names=model.coding.names,
        about=about,
        population=told,
    )


def _figures(rows: Table, cohort: Cohort, model: Model, panels: Sequence[Panel], figure: Path) -> list[Path]:
    written = []
    for panel in panels:
        matched, after = matched_scans(rows, cohort, model, panel)
        kept = np.nan_to_num(matched.covariates @ panel.combat.coefficients)
        change = Change(
            matched.scans.values, after, matched.sites, kept, kept, model.params.site, is_simulated(rows)
        )
        drawing = change_drawing(change)
        if drawing is None:
            continue
        path = figure if len(panels) == 1 else figure.with_stem(f"{figure.stem}-{panel.modality}")
        with atomic_path(path) as temporary:
            temporary.write_text(drawing.svg + "\n", encoding="utf-8")
        written.append(path)
    return written
