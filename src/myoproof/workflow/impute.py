"""Multiple imputation as one act: a cohort's columns completed several times, written with their chains."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.table import write_table
from myoproof.errors import Finding
from myoproof.numerics.chained import Settings
from myoproof.studies import imputation
from myoproof.studies.describe import baseline
from myoproof.workflow import folder as study_folder
from myoproof.workflow.describe import feature_of

ACT = "impute@1"


@dataclass(frozen=True, slots=True)
class Question:
    """What is completed, and what is asked of the completions.

    Parameters
    ----------
    columns : sequence of str
        Columns of the subjects and covariates tables; those that hold anything by default.
    features : sequence of str
        ``measure/site/side`` at the first visit.
    outcome : str
        Column that is regressed; "" for no regression.
    terms : sequence of str
        On what.
    seed : int
        The one seed.
    """

    columns: Sequence[str] = ()
    features: Sequence[str] = ()
    outcome: str = ""
    terms: Sequence[str] = ()
    seed: int = 0


def impute_cohort(
    cohort_path: Path, out: Path, *, question: Question, settings: Settings | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, list[Finding]]:
    """Complete a cohort and, where asked, pool a regression.

    Parameters
    ----------
    cohort_path : Path
        Study folder, or folder of plain tables.
    out : Path
        Folder: ``completed.csv``, ``chains.csv``, ``pooled.csv``, ``impute.provenance.json``.
    question : Question
        Columns, regression, seed.
    settings : Settings, optional
        Completions, rounds, donors.

    Returns
    -------
    tuple of (DataFrame, DataFrame, list of Finding)
        What was missing by column; pooled estimates (empty where none was asked); remarks.

    Raises
    ------
    NotReadable, InvalidInput, NotWritable
        For faulty tables, columns that cannot be imputed, or an output in the way.
    """
    how = settings or Settings()
    study_folder.claim(out, "imputation")
    cohort = study_folder.read_cohort(cohort_path)
    features = [feature_of(text) for text in question.features]
    table = baseline(cohort, by="subject", columns=question.columns, features=features,
                     groups=dict.fromkeys(cohort.subjects["subject"], "all")).table  # fmt: skip
    table = table.rename(columns=lambda name: str(name).rstrip("/"))
    done = imputation.complete(table, rng=np.random.default_rng(question.seed), settings=how)
    pooled = pd.DataFrame()
    if question.outcome:
        pooled = imputation.pooled_regression(
            done, question.outcome.rstrip("/"), [term.rstrip("/") for term in question.terms]
        )
        write_table(pooled, out / "pooled.csv")
    write_table(imputation.long_table(done), out / "completed.csv")
    write_table(imputation.chain_table(done), out / "chains.csv")
    parameters: dict[str, Any] = {
        "m": how.m,
        "rounds": how.rounds,
        "donors": how.donors,
        "seed": question.seed,
    }
    parameters |= {"columns": [str(name) for name in table], "outcome": question.outcome}
    parameters |= {"terms": list(question.terms)}
    act = study_folder.Act(ACT, parameters, study_folder.input_digests(cohort_path))
    study_folder.write_json(act.record, out / "impute.provenance.json")
    missing = done.imputed.missing.sum(axis=0)
    lines = pd.DataFrame({"column": [str(name) for name in table], "kind": done.kinds, "missing": missing})
    return lines.assign(share=lines["missing"] / len(table)), pooled, list(done.imputed.remarks)
