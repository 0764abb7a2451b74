"""The docs: every command and Python example runs, every page is reachable, every picture is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks import evidence_page

from myoproof.delivery.nifti import write
from myoproof.phantoms.dixon import demo_scans
from myoproof.registry import REGISTRY
from myoproof.workflow.templates import write_example

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def marked(page: Path) -> object:
    long = ("study run", "myoproof demo", "measure radiomics", "segment thigh")
    slow = any(words in text for _, text in blocks(page) for words in long)
    name = page.relative_to(ROOT).as_posix()
    return pytest.param(page, id=name, marks=[pytest.mark.slow] if slow else [])


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``scan/`` (a simulated scan) and ``example/`` (a filled example study)."""
    folder = tmp_path_factory.mktemp("docs")
    scan = demo_scans(rng=np.random.default_rng(11), n=1)[0]
    for name, values in scan.acquisition.payload.channels.items():
        write(values, scan.acquisition.payload.affine, folder / "scan" / f"{name}.nii.gz")
    write(scan.segmentation.labels, scan.segmentation.affine, folder / "scan" / "mask.nii.gz")
    write_example("als-nmus-phenotypes", folder / "example")
    return folder


@pytest.mark.parametrize("page", [marked(page) for page in PAGES if blocks(page)])
def test_examples_of_a_page_run(page: Path, stage: Path, tmp_path: Path) -> None:
    shutil.copytree(stage, tmp_path, dirs_exist_ok=True)
    binary = Path(sys.executable).parent
    for language, text in blocks(page):
        command = ["bash", "-euc", f"export PATH={binary}:$PATH\n{text}"]
        if language == "python":
            command = [sys.executable, "-W", "error", "-c", text]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_pictures_of_a_page_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert f" {page.name}" in nav, page.name


@pytest.mark.parametrize("kind", ["measures", "studies", "checks", "writers", "phantoms"])
def test_every_registered_name_is_in_the_docs(kind: str) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in REGISTRY[kind]:
        assert name in text, f"{kind}/{name} is not in the docs"


def test_evidence_pages_show_the_tables_that_ship() -> None:
    for path, text in evidence_page.pages().items():
        assert path.read_text(encoding="utf-8") == text, path.name
