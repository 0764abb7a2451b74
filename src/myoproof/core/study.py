"""Study: the question, written down before the answer, as a TOML file that refuses unknown keys."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from myoproof.core.provenance import digest_bytes
from myoproof.errors import Finding, InvalidInput, NotReadable, refuse

M = TypeVar("M", bound=BaseModel)
Strategy = Literal["treatment_policy", "hypothetical", "composite", "while_alive", "while_on_treatment"]


class Strict(BaseModel):
    """A record that people write: unknown keys refused, nothing coerced, frozen once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Feature(Strict):
    """Which rows make one column of a feature matrix.

    Parameters
    ----------
    measure : str
        A word of the vocabulary.
    site : str or list of str
        One site, several, or "*" for every site the cohort holds for this measure.
    side : str
        A side, "*" for each side apart, or "mean" for the mean of left and right.
    modality, at, method, rater, session : str
        Further conditions; "" means any (session: the study's baseline). `at` "" means the whole site.
    """

    measure: str
    site: str | list[str] = "*"
    side: str = "*"
    modality: str = ""
    at: str = ""
    method: str = ""
    rater: str = ""
    session: str = ""


class CohortFilter(Strict):
    """Which subjects and sessions take part; an empty list or text means all."""

    diagnosis: list[str] = Field(default_factory=list)
    arm: list[str] = Field(default_factory=list)
    centre: list[str] = Field(default_factory=list)
    modality: str = ""
    analysis_set: str = ""
    sessions: list[str] = Field(default_factory=list)


class IntercurrentEvent(Strict):
    """What may happen after baseline that changes what a value means, and how it is dealt with.

    Parameters
    ----------
    event : str
        A kind of the events table, for example "death" or "treatment_stop".
    strategy : str
        treatment_policy: values count whatever happened. hypothetical: values after it are left out, as if it
        had not happened. composite: it is itself the worst outcome. while_alive, while_on_treatment: values
        up to it count.

    References
    ----------
    ICH E9 (R1), 2019, section A.3.2.
    """

    event: str = Field(min_length=1)
    strategy: Strategy


class Estimand(Strict):
    """What exactly is estimated, in the terms of ICH E9 (R1).

    Parameters
    ----------
    population, treatment, endpoint, summary : str
        In words.
    intercurrent_events : list of IntercurrentEvent
        Each kind of event once.
    """

    population: str = Field(min_length=1)
    treatment: str = Field(min_length=1)
    endpoint: str = Field(min_length=1)
    summary: str = Field(min_length=1)
    intercurrent_events: list[IntercurrentEvent] = Field(default_factory=list)

    def strategy(self, event: str) -> str:
        """How a kind of event is dealt with; "" where it is not named."""
        return next((one.strategy for one in self.intercurrent_events if one.event == event), "")


class Study(Strict):
    """A study, whole.

    Parameters
    ----------
    name, title, question : str
        What is asked.
    kind : str
        A study of the registry, for example "phenotypes".
    cohort : CohortFilter
        Who takes part.
    features : list of Feature
        What is looked at.
    outcome : Feature, optional
        What it is held against; never also a feature.
    covariates : list of str
        Columns of the subjects or covariates tables that estimates are adjusted for.
    families : dict of str to list of str
        Families of tests for multiplicity: name -> terms.
    estimand : Estimand, optional
        What a trial estimates, intercurrent events included.
    method : dict
        Parameters of the kind; checked by the kind's own model.
    accept : dict
        Acceptance criteria, written beforehand.
    seed : int
        The one seed of the run.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    question: str
    kind: str
    cohort: CohortFilter = Field(default_factory=CohortFilter)
    features: list[Feature] = Field(min_length=1)
    outcome: Feature | None = None
    correlates: list[Feature] = Field(default_factory=list)
    covariates: list[str] = Field(default_factory=list)
    families: dict[str, list[str]] = Field(default_factory=dict)
    estimand: Estimand | None = None
    method: dict[str, Any] = Field(default_factory=dict)
    accept: dict[str, Any] = Field(default_factory=dict)
    reference: str = ""
    seed: int

    @property
    def digest(self) -> str:
        """Digest of the whole question, defaults included."""
        return digest_bytes(self.model_dump_json().encode())[:12]


def read_study(path: Path) -> Study:
    """Read a study TOML.

    Raises
    ------
    NotReadable
        If the file is absent or no TOML.
    InvalidInput
        Naming every unknown key (with its near miss), missing key and wrong type together.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotReadable(f"cannot be read ({error})", where=str(path)) from error
    return parse_study(text, where=str(path))


def parse_study(text: str, *, where: str = "study") -> Study:
    """A study from TOML text; see :func:`read_study`.

    Examples
    --------
    >>> parse_study('name = "a"')  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    myoproof.errors.InvalidInput: study: 5 faults...
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotReadable(f"not valid TOML ({error})", where=where) from error
    study: Study = parse_strict(Study, content, where=where)
    named = [one.event for one in study.estimand.intercurrent_events] if study.estimand else []
    if len(set(named)) < len(named):
        raise InvalidInput(
            "an intercurrent event has two strategies", where=where, mend="name every kind of event once"
        )
    if study.outcome is not None and any(_same_rows(feature, study.outcome) for feature in study.features):
        raise InvalidInput(
            f"the outcome {study.outcome.measure!r} is also a feature",
            where=where,
            mend="take it out of the features: clusters and predictors are never built with the outcome",
        )
    return study


def parse_strict(model: type[M], content: dict[str, Any], *, where: str) -> M:
    """Check content against a strict model; every fault is told together.

    Raises
    ------
    InvalidInput
        With one line a fault; an unknown key names the nearest known one.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        refuse([_finding(model, fault) for fault in error.errors()], where=where)
        raise


def _finding(model: type[BaseModel], fault: Any) -> Finding:
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = list(_fields_at(model, fault["loc"][:-1]))
        close = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
        mend = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
        return Finding("error", "key", f"unknown key {place!r}", mend=mend)
    return Finding("error", "value", f"{place}: {fault['msg'].lower()}")


def _fields_at(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    for part in location:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        options = [annotation, *get_args(annotation)]
        models = [kind for kind in options if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if models:
            model = models[0]
    return list(model.model_fields)


def _same_rows(feature: Feature, outcome: Feature) -> bool:
    if feature.measure != outcome.measure:
        return False
    sites = [feature.site] if isinstance(feature.site, str) else feature.site
    others = [outcome.site] if isinstance(outcome.site, str) else outcome.site
    return "*" in sites or "*" in others or bool(set(sites) & set(others))
