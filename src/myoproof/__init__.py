"""myoproof: neuromuscular measurements, studies and the evidence behind every number."""

import importlib
from typing import Any

__version__ = "0.1.0"

_FACE = {
    "read_scan": "myoproof.workflow.verbs",
    "check_scan": "myoproof.workflow.verbs",
    "measure_dixon": "myoproof.workflow.verbs",
    "run_study": "myoproof.workflow.verbs",
    "validate_rows": "myoproof.workflow.verbs",
    "deliver": "myoproof.workflow.verbs",
    "DixonFiles": "myoproof.workflow.verbs",
    "demo": "myoproof.workflow.demo",
    "query": "myoproof.workflow.folder",
    "read_cohort": "myoproof.workflow.folder",
    "Acquisition": "myoproof.core.acquisition",
    "Volume": "myoproof.core.acquisition",
    "Segmentation": "myoproof.core.segmentation",
    "Cohort": "myoproof.core.cohort",
    "Study": "myoproof.core.study",
    "Result": "myoproof.core.result",
}
"""The verbs and nouns -> where they live; resolved when first asked for, so that importing is quick."""

__all__ = ["__version__", *_FACE]  # noqa: PLE0604 (the keys are strings)


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module 'myoproof' has no attribute {name!r}")
    return getattr(importlib.import_module(_FACE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
