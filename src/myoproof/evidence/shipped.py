"""The dated evidence tables that ship with the product, written by the validation programs."""

from importlib.resources import files

import pandas as pd

from myoproof.core.evidence import EVIDENCE, evidence_frame


def tables() -> pd.DataFrame:
    """All shipped evidence rows, by file name.

    Returns
    -------
    DataFrame
        Columns of :data:`myoproof.core.evidence.EVIDENCE`; each row carries its date and version.
    """
    folder = files("myoproof.evidence") / "tables"
    if not folder.is_dir():
        return evidence_frame(pd.DataFrame(columns=list(EVIDENCE)))
    found = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".csv")), key=lambda file: file.name
    )
    frames = []
    for file in found:
        with file.open(encoding="utf-8") as stream:
            frames.append(evidence_frame(pd.read_csv(stream, keep_default_na=False, na_values=[""])))
    return pd.concat(frames, ignore_index=True) if frames else evidence_frame([])
