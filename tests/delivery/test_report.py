"""The report as one file: self-contained, escaped, labelled, the same bytes every time."""

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from myoproof.core.result import Result
from myoproof.core.study import parse_study
from myoproof.delivery import report as module
from myoproof.delivery.figures import contrast
from myoproof.delivery.report import Report, image_uri, render, write, write_bundle
from myoproof.delivery.sections import evidence_section, is_stale
from myoproof.errors import InvalidInput, NotReadable, NotWritable

STYLES = Path(module.__file__).parent / "templates" / "report.css"


class Page(HTMLParser):
    """What the tests ask of a page: its tags with attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest) -> str:
    """The full report, rendered once for the module."""
    return render(request.getfixturevalue("shared_report"))


def test_nothing_leaves_the_file(whole: str) -> None:
    page = Page(whole)
    for _, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster", "data"):
            assert attrs.get(name, "#").startswith(("#", "data:")), attrs
    assert not re.search(r"@import|url\((?!#)", whole), "no style sheet or font from elsewhere"
    assert not re.search(r"\b(fetch|XMLHttpRequest|sendBeacon|WebSocket|eval)\b", whole)
    policies = [attrs["content"] for attrs in page.all("meta") if "Policy" in attrs.get("http-equiv", "")]
    assert policies[0].startswith(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    )


def test_the_page_has_a_language_a_title_and_one_first_heading(whole: str) -> None:
    page = Page(whole)
    assert page.all("html") == [{"lang": "en"}]
    assert "<title>ALS muscle imaging, demonstration (simulated data)</title>" in whole
    assert len(page.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert all(later - sooner <= 1 for sooner, later in itertools.pairwise(levels)), "no level is skipped"


def test_ids_are_unique_and_every_reference_resolves(whole: str) -> None:
    page = Page(whole)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    asked = [attrs.get(name, "") for _, attrs in page.tags for name in ("aria-labelledby", "for")]
    asked += [a["href"].removeprefix("#") for _, a in page.tags if a.get("href", "").startswith("#")]
    asked += [a["xlink:href"][1:] for _, a in page.tags if a.get("xlink:href", "").startswith("#")]
    asked += re.findall(r"url\(#([^)]+)\)", whole)
    assert {name for names in asked for name in names.split()} <= set(ids)


def test_every_figure_has_a_description_and_every_image_an_alternative(whole: str) -> None:
    page = Page(whole)
    drawings = page.all("svg")
    assert len(drawings) == 15
    assert all(attrs["role"] == "img" and len(attrs["aria-labelledby"].split()) == 2 for attrs in drawings)
    assert all(len(text) > 30 for text in re.findall(r"<desc[^>]*>([^<]*)</desc>", whole))
    assert [attrs["alt"] for attrs in page.all("img")] == [
        "Thigh of subject img-0, slice 12: contours and fat fraction"
    ]


def test_tables_sort_from_the_keyboard_and_say_how_they_are_sorted(whole: str) -> None:
    heads = re.findall(r"<thead><tr>(.*?)</tr></thead>", whole, flags=re.DOTALL)
    assert len(heads) == 16
    for head in heads:
        cells = re.findall(r"<th [^>]*>", head)
        assert len(cells) == len(re.findall(r'<button type="button">', head))
        assert all('scope="col"' in cell and 'aria-sort="none"' in cell for cell in cells)


def test_simulated_data_are_called_simulated_wherever_shown(whole: str) -> None:
    assert whole.count(">Simulated data</text>") == 15, "in every figure"
    assert whole.count('<caption><span class="mark">Simulated data.</span>') == 16, "on every table"
    assert "<strong>SIMULATED DATA</strong>" in whole
    assert '@top-center { content: "SIMULATED DATA' in whole, "on every printed page"


def test_real_data_are_not_called_simulated(course: Result) -> None:
    real = render(Report(title="Clinic", simulated=False, results=[replace(course, simulated=False)]))
    assert "imulated data" not in re.sub(r"<style>.*?</style>", "", real, flags=re.DOTALL)
    assert "SIMULATED" not in real
    assert "Research use only. Not a medical device." in real


@pytest.mark.usefixtures("words_only")
def test_one_simulated_result_makes_the_report_simulated(course: Result) -> None:
    told = render(Report(title="Clinic", simulated=False, results=[replace(course, simulated=True)]))
    assert "<strong>SIMULATED DATA</strong>" in told


def test_the_summary_comes_first_and_repeats_what_the_sections_say(whole: str) -> None:
    summary = whole[whole.index('id="summary"') : whole.index('<section id="als-nmus-phenotypes"')]
    told = Page(summary).text
    assert "No subtypes. The data are compatible with one severity continuum" in told
    assert "Fat fraction, thigh. Rose in ALS by 1.20" in told
    assert "4 evidence rows. 1 pass, 1 fail, 1 inconclusive and 1 descriptive." in told


def test_evidence_has_verdicts_that_do_not_rest_on_colour_and_marks_what_is_stale(
    evidence: pd.DataFrame,
) -> None:
    section = evidence_section(evidence, {"dixon": "2", "als-nmus-phenotypes": "948e59a719bf"})
    said = {part.lead: part.text for part in section.statements}
    assert said["Failed"] == "dixon@2, population not stated (n\u00a0=\u00a0200): coverage 0.91."
    assert said["Stale"].startswith("2 evidence rows")
    columns = {column.label: [cell.text for cell in column.cells] for column in section.grids[0].shown}
    assert [len(grid.rows) for grid in section.grids] == [3, 1]
    assert columns["Verdict"] == ["pass", "fail", "inconclusive"]
    assert columns["State"] == ["stale", "current", "stale"]
    assert columns["Date, version"][0] == "2026-11-21, 0.1.0"
    style = STYLES.read_text(encoding="utf-8")
    marks = [
        re.search(rf'\.badge\.{verdict}::before {{ content: "([^"]+)"', style)
        for verdict in ("pass", "fail", "inconclusive")
    ]
    assert len({mark[1] for mark in marks if mark}) == 3


def test_evidence_is_stale_only_for_a_known_name_with_another_version() -> None:
    assert is_stale("dixon@1", {"dixon": "2"})
    assert not is_stale("dixon@2", {"dixon": "2"})
    assert not is_stale("dixon", {"dixon": "2"})
    assert not is_stale("other@1", {"dixon": "2"})


def test_the_study_files_stand_in_the_page_and_read_back(whole: str, shared_report: Report) -> None:
    sources = re.findall(r'<pre tabindex="0"><code>(.*?)</code></pre>', whole, flags=re.DOTALL)
    read = [parse_study("".join(Page(source).words)) for source in sources]
    assert read == [result.study for result in shared_report.results]
    assert all(
        result.provenance in whole and result.study.digest in whole for result in shared_report.results
    )


def test_markup_in_names_and_rows_stays_text(course: Result) -> None:
    rows = course.estimates.copy()
    rows["term"] = rows["term"].str.replace("/thigh/", "/<script>alert(1)</script>/")
    study = course.study.model_copy(
        update={"title": '<img src="https://a.example/x">', "question": "</title><script>"}
    )
    hostile = replace(course, study=study, estimates=rows)
    image = ("<b>x</b>", "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(2)</script></svg>")
    text = render(
        Report(
            title="<script>", simulated=True, results=[hostile], images=[image], provenance=[{"<i>": "<u>"}]
        )
    )
    page = Page(text)
    assert len(page.all("script")) == 1
    assert [attrs["src"][:26] for attrs in page.all("img")] == ["data:image/svg+xml,<svg xm"], (
        "scripts are dead there"
    )
    assert not page.all("b")
    assert not page.all("u")


def test_the_same_report_gives_the_same_bytes_and_only_the_given_date(
    shared_report: Report, whole: str
) -> None:
    assert render(shared_report) == whole
    years = set(re.findall(r"20\d\d-\d\d-\d\d", re.sub(r"base64,[^\"]+", "", whole)))
    assert years == {"2026-11-21"}
    undated = replace(shared_report, date="", results=(), evidence=shared_report.evidence.assign(date=""))
    assert not re.search(r"20\d\d-\d\d-\d\d", re.sub(r"base64,[^\"]+", "", render(undated)))


def test_a_file_is_whole_or_the_earlier_one_remains(tmp_path: Path, course: Result) -> None:
    out = tmp_path / "deep" / "report.html"
    small = Report(title="A", simulated=True, results=[])
    assert write(small, out) == out
    before = out.read_bytes()
    broken = replace(small, images=[("x", tmp_path / "absent.svg")])
    with pytest.raises(NotReadable, match=r"absent\.svg"):
        write(broken, out)
    assert out.read_bytes() == before
    assert [entry.name for entry in out.parent.iterdir()] == ["report.html"]


def test_a_bundle_has_every_figure_and_table_as_a_file(
    tmp_path: Path, course: Result, evidence: pd.DataFrame
) -> None:
    folder = tmp_path / "bundle"
    report = Report(title="A", simulated=True, results=[course], evidence=evidence)
    assert write_bundle(report, folder) == folder / "report.html"
    figures = sorted(path.name for path in (folder / "figures").iterdir())
    assert "als-mri-progression-league.svg" in figures
    assert len(figures) == 7
    assert all(
        (folder / "figures" / name).read_text(encoding="utf-8").startswith("<svg ") for name in figures
    )
    stored = pd.read_csv(folder / "tables" / "als-mri-progression-changes.csv", float_precision="round_trip")
    changes = course.estimates[
        course.estimates["analysis"].isin(["change", "difference", "mixed_model", "fast_slow"])
    ]
    assert stored["value"].dropna().tolist() == changes["value"].dropna().tolist(), "fractions stay fractions"
    first = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    write_bundle(report, folder)
    assert first == {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_never_replaces_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    report = Report(title="A", simulated=True, results=[])
    for place in (tmp_path, tmp_path / "thesis.docx"):
        with pytest.raises(NotWritable, match="holds something that is no report"):
            write_bundle(report, place)
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_a_study_of_another_kind_shows_its_rows(course: Result) -> None:
    other = replace(course, study=course.study.model_copy(update={"kind": "of_someone_else"}))
    section = module.compose(Report(title="A", simulated=True, results=[other, other]))
    assert [part.key for part in section] == ["als-mri-progression", "als-mri-progression-2"]
    assert [grid.key for grid in section[0].grids] == ["als-mri-progression-estimates"]


def test_an_image_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no SVG"):
        image_uri("plain words")
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert image_uri(picture) == "data:image/png;base64,iVBORw0KGgo="


def test_the_report_is_light(whole: str) -> None:
    assert len(whole.encode()) < 2_000_000


def _colours() -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", STYLES.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        *((ink, paper) for ink in ("ink", "soft", "link") for paper in ("paper", "wash")),
        *((f"{name}-ink", f"{name}-paper") for name in ("note", "plain", "pass", "fail", "open")),
    ],
)
def test_text_stands_out_from_its_paper(ink: str, paper: str) -> None:
    colours = _colours()
    assert contrast(colours[ink], colours[paper]) >= 4.5, "WCAG 2.2 AA, 1.4.3"


def test_no_text_colour_escapes_the_contrast_test() -> None:
    style = STYLES.read_text(encoding="utf-8")
    screen = style[: style.index("@media print")]
    used = set(re.findall(r"[\s;{]color: ([^;]+);", screen))
    assert all(value.startswith("var(--") for value in used)
    assert "outline: 3px solid var(--link)" in style, "focus is visible"
    assert "prefers-reduced-motion" in style
    assert "size: A4" in style
