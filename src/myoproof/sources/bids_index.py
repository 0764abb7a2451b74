"""What surrounds the images of a muscle-BIDS study: its description, participants and sessions."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from myoproof import __version__
from myoproof.core.atomic import atomic_path
from myoproof.sources.bids_names import label

IGNORED = "sub-*/**/mr-anat/**\nsub-*/**/mr-quant/**\n.writing-*\n"
"""Folders of muscle-BIDS that the validator of brain imaging does not know."""


def write(root: Path, acquisitions: pd.DataFrame, *, method: str, codes: Mapping[str, str]) -> None:
    """Write the description of a study, its participants, and each one's sessions with their days.

    Parameters
    ----------
    root : Path
        The study's raw folder.
    acquisitions : DataFrame
        The table of acquisitions: subject, session, day.
    method : str
        How identity was removed.
    codes : mapping of str to str
        DICOM codes (CID 7050) of it, with their meanings.

    Raises
    ------
    NotWritable
        If a file cannot be written.

    References
    ----------
    Brain Imaging Data Structure 1.10, dataset_description.json, participants.tsv, sessions.tsv.
    """
    description = {
        "Name": "muscle MRI",
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "myoproof", "Version": __version__}],
        "DeidentificationMethod": [method],
        "DeidentificationMethodCodeSequence": [
            {"CodeValue": code, "CodingSchemeDesignator": "DCM", "CodeMeaning": meaning}
            for code, meaning in codes.items()
        ],
    }
    _write(root / "dataset_description.json", json.dumps(description, indent=2) + "\n")
    _write(root / ".bidsignore", IGNORED)
    days = {"days_since_baseline": {"Description": "days since the subject's first session", "Units": "d"}}
    _write(root / "sessions.json", json.dumps(days, indent=2) + "\n")
    subjects = sorted(set(acquisitions["subject"]))
    lines = ["participant_id", *(f"sub-{label(subject)}" for subject in subjects)]
    _write(root / "participants.tsv", "\n".join(lines) + "\n")
    for subject, visits in acquisitions.groupby("subject"):
        first = visits.groupby("session")["day"].min().sort_values(kind="stable")
        lines = ["session_id\tdays_since_baseline"]
        lines += [f"ses-{label(str(session))}\t{day:g}" for session, day in first.items() if session]
        name = f"sub-{label(str(subject))}"
        if (root / name).is_dir():
            _write(root / name / f"{name}_sessions.tsv", "\n".join(lines) + "\n")


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
