"""Reading of SAS PROC MIXED listings, plain or RTF: what was fitted, and every number that tests hold against."""

import re
from dataclasses import dataclass, field
from pathlib import Path

NUMBER = r"<?-?\d*\.?\d+(?:E[-+]?\d+)?|\."


@dataclass(frozen=True)
class Listing:
    """One listing.

    Parameters
    ----------
    name, structure, method, group, df_method, se_method : str
        What was fitted.
    deviance : float
        Minus twice the log-likelihood at the end of the search.
    columns : int
        Columns in X.
    parameters : list of (name, group, text)
        Covariance parameters as printed.
    effects : list of (words, numbers)
        Rows of the solution, words left of the estimate.
    tests, means, differences : list of (words, numbers)
        Type 3 tests, least-squares means, their differences.
    visits : list of str
        Visits in the order of the covariance matrix.
    failed : bool
        Whether SAS warned that it did not converge.
    """

    name: str
    structure: str
    method: str
    group: str
    df_method: str
    se_method: str
    deviance: float
    columns: int
    parameters: list[tuple[str, str, str]] = field(default_factory=list)
    effects: list[tuple[str, list[float]]] = field(default_factory=list)
    tests: list[tuple[str, list[float]]] = field(default_factory=list)
    means: list[tuple[str, list[float]]] = field(default_factory=list)
    differences: list[tuple[str, list[float]]] = field(default_factory=list)
    visits: list[str] = field(default_factory=list)
    failed: bool = False


def read_listings(path: Path) -> list[Listing]:
    """All fits of a file."""
    text = path.read_text(encoding="latin-1")
    if path.suffix == ".rtf":
        text = _plain(text)
    pieces = re.split(r"Model Information", text)[1:]
    return [_read(path.stem, piece) for piece in pieces if "Estimation Method" in piece]


def _plain(text: str) -> str:
    """Tables of an RTF file, a line a row, cells apart by spaces."""
    text = re.sub(r"\\'a0|\\~", " ", text).replace("\r", "").replace("\n", " ")
    text = re.sub(r"\\cell\b", "    ", text)
    text = re.sub(r"\\row\b", "\n", text)
    text = re.sub(r"\{\\\*[^{}]*\}", "", text)
    text = re.sub(r"\\line\b", " ", text)
    text = re.sub(r"\\[a-z]+-?\d* ?", "", text)
    return re.sub(r"[{}]", "", text)


def _value(piece: str, label: str) -> str:
    found = re.search(rf"{label}\s{{2,}}(\S.*?)\s*$", piece, re.MULTILINE)
    return found.group(1) if found else ""


def _read(name: str, piece: str) -> Listing:
    lines = [line.rstrip() for line in piece.splitlines() if line.strip()]
    lines = [line for line in lines if "The SAS System" not in line and "The Mixed Procedure" not in line]
    history = re.findall(r"^\s*\d+\s+\d+\s+(\d+\.\d{8})", piece, re.MULTILINE)
    return Listing(
        name=name,
        structure=_value(piece, "Covariance Structure"),
        method=_value(piece, "Estimation Method").lower(),
        group=_value(piece, "Group Effect"),
        df_method=_value(piece, "Degrees of Freedom Method"),
        se_method=_value(piece, "Fixed Effects SE Method"),
        deviance=float(history[-1]) if history else float("nan"),
        columns=int(_value(piece, "Columns in X") or 0),
        parameters=_parameters(lines),
        effects=_rows(_block(lines, "Solution for Fixed Effects"), 2),
        tests=_rows(_block(lines, "Type 3 Tests"), 3),
        means=_rows(_block(lines, "Least Squares Means", exact=True), 3),
        differences=_rows(_block(lines, "Differences of Least Squares Means"), 3),
        visits=re.findall(r"VIS\d", _value(piece, "AVISIT")),
        failed="WARNING" in piece,
    )


HEADINGS = (
    "Solution for Fixed Effects",
    "Type 3 Tests",
    "Least Squares Means",
    "Differences of Least",
    "Tests of Effect Slices",
    "Covariance Parameter",
    "Fit Statistics",
    "Null Model",
    "Estimated R",
    "Convergence criteria",
    "Asymptotic",
    "Obs ",
)


def _block(lines: list[str], title: str, *, exact: bool = False) -> list[str]:
    """Lines below a heading, also where it is repeated on a new page."""
    taken: list[str] = []
    inside = False
    for line in lines:
        own = line.strip()
        if own == title if exact else own.startswith(title):
            inside = True
        elif own.startswith(HEADINGS):
            inside = False
        elif inside:
            taken.append(line)
    return taken


def _parameters(lines: list[str]) -> list[tuple[str, str, str]]:
    block = _block(lines, "Covariance Parameter Estimates") or _block(lines, "Covariance Parameter Values")
    found = []
    for line in block:
        cells = re.split(r"\s{2,}", line.strip())
        if len(cells) < 2 or cells[0].startswith(("Cov Parm", "At Last")):
            continue
        numbers = [cell for cell in cells if re.fullmatch(NUMBER, cell)]
        words = [cell for cell in cells if not re.fullmatch(NUMBER, cell)]
        if numbers:
            found.append((words[0], words[2] if len(words) > 2 else "", numbers[0]))
    return found


def _rows(block: list[str], fewest: int) -> list[tuple[str, list[float]]]:
    found = []
    for line in block:
        cells = re.split(r"\s{2,}", line.strip())
        numbers: list[float] = []
        while cells and re.fullmatch(NUMBER, cells[-1]):
            text = cells.pop().lstrip("<")
            numbers.insert(0, float("nan") if text == "." else float(text))
        if len(numbers) >= fewest:
            found.append((" ".join(cells), numbers))
    return found
