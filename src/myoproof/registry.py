"""Every reader, phantom, segmenter, measure, study, check and writer: one line each."""

import difflib
import importlib
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from myoproof.errors import UnknownName

REGISTRY: dict[str, dict[str, str]] = {
    "sources": {
        "nifti": "myoproof.sources.nifti:read",
        "ismrm": "myoproof.sources.ismrm:read",
        "dicom": "myoproof.sources.dicom:read_series",
        "muscle-bids": "myoproof.sources.bids:read",
        "mask": "myoproof.sources.masks:read_mask",
        "cohort-tables": "myoproof.sources.tables:read",
        "proact": "myoproof.sources.proact:read",
        "redcap": "myoproof.sources.redcap:read",
        "bids-tables": "myoproof.sources.bids_tables:read",
        "csv-mapping": "myoproof.sources.csv_mapping:read",
    },
    "phantoms": {
        "dixon": "myoproof.phantoms.dixon:thigh",
        "multiecho": "myoproof.phantoms.multiecho:thighs",
        "relaxation": "myoproof.phantoms.relaxation:thigh",
        "bmode": "myoproof.phantoms.bmode:frame",
        "bmode-cine": "myoproof.phantoms.bmode_cine:cine",
        "als-ultrasound": "myoproof.phantoms.ultrasound:cohort",
        "ultrasound-devices": "myoproof.phantoms.devices_us:cohort",
        "als-mri": "myoproof.phantoms.mri:cohort",
        "als-trial": "myoproof.phantoms.trial:cohort",
        "proact": "myoproof.phantoms.proact:export",
        "readers": "myoproof.phantoms.readers:cohort",
    },
    "segmenters": {
        "drawn": "myoproof.segmentation.drawn:segment",
        "thigh": "myoproof.segmentation.thigh:segment",
        "tissue": "myoproof.segmentation.tissue:segment",
        "muscle_us": "myoproof.segmentation.muscle_us:segment",
        "muscle_us_transverse": "myoproof.segmentation.muscle_us_transverse:segment",
        "nerve": "myoproof.segmentation.nerve:segment",
    },
    "measures": {
        "dixon": "myoproof.measures.dixon:measure",
        "multiecho": "myoproof.measures.multiecho:measure",
        "relaxation": "myoproof.measures.relaxation:measure",
        "radiomics": "myoproof.measures.radiomics:measure",
        "compartments": "myoproof.measures.compartments:measure",
        "heterogeneity": "myoproof.measures.heterogeneity:measure",
        "femur": "myoproof.measures.femur:measure",
        "size": "myoproof.measures.size:measure",
        "nerve": "myoproof.measures.nerve:measure",
        "architecture": "myoproof.measures.architecture:measure",
        "echogenicity": "myoproof.measures.echogenicity:measure",
        "fasciculation": "myoproof.measures.fasciculation:measure",
    },
    "derivations": {
        "asymmetry": "myoproof.measures.asymmetry:derive",
        "fat_volume": "myoproof.measures.compartments_fat:derive",
        "clinical": "myoproof.measures.clinical:derive",
        "zscore": "myoproof.measures.zscores:derive",
        "heckmatt": "myoproof.measures.heckmatt:derive",
    },
    "harmonisers": {
        "combat": "myoproof.measures.harmonise:derive",
        "device_transfer": "myoproof.measures.devices:derive",
    },
    "studies": {
        "phenotypes": "myoproof.studies.phenotypes:run",
        "progression": "myoproof.studies.progression:run",
        "agreement": "myoproof.evidence.agreement_study:run",
        "design": "myoproof.studies.design:run",
    },
    "nulls": {
        "phenotypes": "myoproof.studies.phenotypes_null:null",
        "progression": "myoproof.studies.progression_null:null",
        "design": "myoproof.studies.design_null:null",
    },
    "checks": {
        "mask": "myoproof.segmentation.checks:check",
        "agreement": "myoproof.evidence.agreement:check",
        "masks": "myoproof.evidence.masks:check",
        "claims": "myoproof.evidence.claims:check",
        "repeatability": "myoproof.evidence.repeatability:check",
        "harmonisation": "myoproof.evidence.harmonisation:check",
        "devices": "myoproof.evidence.devices:check",
        "leakage": "myoproof.evidence.leakage:check",
    },
    "writers": {
        "report": "myoproof.delivery.report:write",
        "overlay": "myoproof.delivery.overlay:write",
        "nifti": "myoproof.delivery.nifti:write",
        "label-image": "myoproof.delivery.label_image:write",
        "mri-page": "myoproof.delivery.mri_page:write",
        "mri-report": "myoproof.delivery.mri_report:write",
        "describe": "myoproof.delivery.describe:write",
        "devices": "myoproof.delivery.devices:write",
        "null-page": "myoproof.delivery.null_page:write",
        "ultrasound-files": "myoproof.delivery.ultrasound_files:write",
        "import-flow": "myoproof.delivery.flow_import:write",
        "ultrasound-report": "myoproof.delivery.ultrasound_report:write",
        "ultrasound-tiles": "myoproof.delivery.ultrasound_tiles:tile",
    },
}
"""Kind -> name -> "module:function". Strings, so that nothing is imported until it is used."""


def names(kind: str) -> dict[str, str]:
    """Name -> "module:function" of one kind, built-in and from entry points ``myoproof.KIND``.

    Raises
    ------
    UnknownName
        If there is no such kind.

    Examples
    --------
    >>> names("studies")["phenotypes"]
    'myoproof.studies.phenotypes:run'
    """
    if kind not in REGISTRY:
        raise UnknownName(f"no registry of {kind!r}", mend=_near(kind, REGISTRY))
    outside = {point.name: point.value for point in entry_points(group=f"myoproof.{kind}")}
    return {**outside, **REGISTRY[kind]}


def load(kind: str, name: str) -> Any:
    """The function registered under a kind and a name.

    Raises
    ------
    UnknownName
        If the kind or the name is not registered; the message names the nearest one.

    Examples
    --------
    >>> load("studies", "phenotype")
    Traceback (most recent call last):
        ...
    myoproof.errors.UnknownName: studies has no 'phenotype'; did you mean 'phenotypes'?
    """
    known = names(kind)
    if name not in known:
        raise UnknownName(f"{kind} has no {name!r}", mend=_near(name, known))
    module, _, function = known[name].partition(":")
    return getattr(importlib.import_module(module), function)


def load_module(kind: str, name: str) -> ModuleType:
    """The module of a registered function, for its constants and parameter classes.

    Raises
    ------
    UnknownName
        If the kind or the name is not registered.

    Examples
    --------
    >>> load_module("studies", "phenotypes").__name__
    'myoproof.studies.phenotypes'
    """
    return importlib.import_module(load(kind, name).__module__)


def _near(word: str, known: dict[str, Any]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
