"""Every registry line: it resolves, is documented, and fits its contract."""

import inspect

import pytest

from myoproof.errors import UnknownName
from myoproof.registry import REGISTRY, load, load_module, names

LINES = [(kind, name) for kind, entries in REGISTRY.items() for name in entries]


@pytest.mark.parametrize(("kind", "name"), LINES)
def test_line_resolves_and_is_documented(kind: str, name: str) -> None:
    function = load(kind, name)
    text = inspect.getdoc(function) or ""
    sections = {"writers": ("Parameters", "Raises"), "phantoms": ("Parameters", "Returns")}
    sections["nulls"] = ("Parameters", "Returns")
    for section in sections.get(kind, ("Parameters", "Returns", "Raises")):
        assert section in text, f"{kind}/{name} has no {section} section"
    for parameter in inspect.signature(function).parameters:
        assert parameter in text, f"{kind}/{name} does not describe {parameter}"


@pytest.mark.parametrize("name", list(REGISTRY["measures"]))
def test_measure_fits_its_contract(name: str) -> None:
    parameters = inspect.signature(load("measures", name)).parameters
    assert list(parameters)[:2] == ["acquisition", "segmentation"]
    assert all(parameters[word].kind is inspect.Parameter.KEYWORD_ONLY for word in ("context", "params"))
    module = load_module("measures", name)
    assert isinstance(module.METHOD, str)
    assert isinstance(module.METHOD_VERSION, int)


@pytest.mark.parametrize("name", list(REGISTRY["studies"]))
def test_study_fits_its_contract(name: str) -> None:
    parameters = inspect.signature(load("studies", name)).parameters
    assert list(parameters) == ["cohort", "study", "rng", "threads", "progress"]
    assert parameters["rng"].default is inspect.Parameter.empty
    assert load_module("studies", name).Parameters.model_config["extra"] == "forbid"


@pytest.mark.parametrize("name", list(REGISTRY["phantoms"]))
def test_phantom_takes_its_randomness_by_keyword(name: str) -> None:
    rng = inspect.signature(load("phantoms", name)).parameters["rng"]
    assert rng.kind is inspect.Parameter.KEYWORD_ONLY
    assert rng.default is inspect.Parameter.empty


def test_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'measures'"):
        names("measure")
