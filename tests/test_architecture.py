"""The house itself: sizes, captions, forbidden names and calls, and the import contracts."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src" / "myoproof").rglob("*.py"))
ROOMS = {"utils", "util", "helpers", "helper", "common", "base", "misc"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_file_keeps_the_laws_of_the_house(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.startswith('"""'), "line 1 says what the file is"
    assert len(text.splitlines()) <= 400, "a file has at most 400 lines"
    assert path.stem not in ROOMS
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert _code_lines(node) <= 60, f"{node.name} has more than 60 code lines"
            inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{node.name} imports inside a function"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and "cli" not in path.parts:
            assert node.func.id not in {"print", "exit", "input"}, f"line {node.lineno} speaks or stops"
    assert not re.search(r"\bpickle\b|joblib\.dump", text), "no pickle"


def test_import_contracts_hold() -> None:
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(tool)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "0 broken" in done.stdout


def test_help_answers_in_under_a_second() -> None:
    """Nothing heavy is imported for --help: no pandas, numpy or matplotlib."""
    code = "import sys, myoproof.cli; print(sorted({'pandas', 'numpy', 'matplotlib', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _code_lines(node: ast.FunctionDef) -> int:
    body = node.body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
