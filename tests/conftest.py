"""Shared fixtures: where public data lies, and small tables."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("MYOPROOF_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        told = f"public data not found at {folder}; set MYOPROOF_DATA"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(told)
    return folder
