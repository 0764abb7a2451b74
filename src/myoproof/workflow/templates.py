"""Ready studies: the templates, and a filled example of each that runs."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from myoproof.core.atomic import atomic_folder, atomic_path
from myoproof.core.cohort import Cohort
from myoproof.core.study import parse_study
from myoproof.core.table import write_table
from myoproof.errors import UnknownName
from myoproof.registry import load
from myoproof.vocabulary.lookup import near
from myoproof.workflow.folder import claim, refuse_foreign

EXAMPLE_SEED = 20260115
"""The seed of every example and the demo: the first from 20260101 on by which 17 of 20 patients complete.

Nothing else was looked at when it was chosen (``mri.demo_seed`` in ``phantoms/constants.toml`` says so too).
"""


@dataclass(frozen=True, slots=True)
class Template:
    """A ready study: its file name, the phantom whose cohort fills it, and its title."""

    name: str
    phantom: str
    title: str

    @property
    def text(self) -> str:
        """The study TOML."""
        return (files("myoproof.studies") / "templates" / f"{self.name}.toml").read_text(encoding="utf-8")


TEMPLATES = {
    template.name: template
    for template in (
        Template(
            "als-nmus-phenotypes", "als-ultrasound", "Ultrasound phenotypes of ALS and function (Wang 2026)"
        ),
        Template("als-mri-progression", "als-mri", "Muscle MRI progression in ALS (Klickovic 2025)"),
        Template("als-trial-mmrm", "als-trial", "Two-arm ALS trial by a mixed model for repeated measures"),
        Template("reader-agreement", "readers", "Agreement of readers on muscle thickness"),
        Template("als-mri-design", "als-mri", "Sample size of an ALS trial with muscle MRI"),
    )
}


def template(name: str) -> Template:
    """A ready study by name.

    Raises
    ------
    UnknownName
        If there is none; the message names the nearest.

    Examples
    --------
    >>> template("als-mri-progression").phantom
    'als-mri'
    """
    if name not in TEMPLATES:
        raise UnknownName(f"no study template {name!r}", mend=near(name, TEMPLATES))
    return TEMPLATES[name]


def simulate(name: str, *, seed: int = EXAMPLE_SEED) -> Cohort:
    """The simulated cohort that fills a template."""
    cohort: Cohort = load("phantoms", template(name).phantom)(rng=np.random.default_rng(seed))
    return cohort


def write_template(name: str, out: Path) -> Path:
    """Write a template's TOML.

    Raises
    ------
    UnknownName, NotWritable
        If there is no such template, or the file cannot be written.
    """
    text = template(name).text
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out


def write_example(name: str, out: Path) -> Path:
    """Write a filled set that runs: the study TOML and a cohort folder of plain CSVs (simulated).

    Returns
    -------
    Path
        The study TOML; the cohort lies beside it in ``cohort/``.

    Raises
    ------
    UnknownName, NotWritable
        If there is no such template, or the folder holds something else.
    """
    ready = template(name)
    refuse_foreign(out, "example")
    study = parse_study(ready.text, where=ready.name)
    cohort = simulate(name)
    with atomic_folder(out) as temporary:
        claim(temporary, "example")
        (temporary / f"{study.name}.toml").write_text(ready.text, encoding="utf-8")
        for table in ("subjects", "acquisitions", "measurements", "events", "covariates"):
            write_table(getattr(cohort, table), temporary / "cohort" / f"{table}.csv")
    return out / f"{study.name}.toml"
