"""The page of a scan: what it must say, what it must never hold, and that it is the same every time."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.core.acquisition import Form, Volume
from myoproof.core.table import Table, from_rows
from myoproof.delivery import mri_page, mri_profiles, mri_report, mri_rows, mri_slices
from myoproof.delivery.mri_page import MriPage
from myoproof.delivery.overlay_slices import make_stack
from myoproof.errors import Finding, InvalidInput
from myoproof.measures import dixon
from myoproof.phantoms.dixon import Phantom, ThighParams, thigh

PARAMS = ThighParams(n_slices=3, voxel_mm=2.5, matrix=(86, 80))


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return thigh(rng=np.random.default_rng(1), params=PARAMS)


@pytest.fixture(scope="module")
def rows(phantom: Phantom) -> Table:
    return dixon.measure(phantom.acquisition, phantom.segmentation, params=dixon.Params(side_by_side=True))


@pytest.fixture(scope="module")
def page(phantom: Phantom, rows: Table) -> MriPage:
    record = {"id": "0123456789ab", "act": "mri@1", "inputs": ["aa", "bb"], "parameters": {}, "parents": []}
    found = [Finding("warning", "pieces", "2 separate pieces", where="gracilis left")]
    return MriPage(phantom.acquisition, phantom.segmentation, rows, found, None, record)


@pytest.fixture(scope="module")
def text(page: MriPage) -> str:
    return mri_page.render(page)


class Checker(HTMLParser):
    """Every element is closed, every id is given once, no script and no address outside the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given[name] or "" for name in ("href", "src", "xlink:href") if name in given]
        if tag not in {"meta", "link", "img", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(text: str) -> Checker:
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    assert "script" not in checker.tags
    assert all(link.startswith(("data:", "#", "scans/")) for link in checker.links)
    return checker


def test_the_page_says_what_matters_first(text: str) -> None:
    checked(text)
    assert "Not a medical device" in text
    assert "2 separate pieces" in text
    assert text.index("2 separate pieces") < text.index('id="signal"') < text.index("Muscles")
    assert "0123456789ab" in text
    assert "SIMULATED" not in text
    assert len(text) < 3e6


def test_simulated_rows_mark_the_whole_page(page: MriPage) -> None:
    text = mri_page.render(replace(page, table=from_rows(page.table.assign(flags="simulated"))))
    assert "SIMULATED DATA" in text
    assert "Simulated data" in text[text.index("Fat fraction along") :]


def test_the_numbers_are_those_of_the_table(text: str, rows: Table) -> None:
    lines = mri_rows.muscle_lines(rows)
    main = rows[(rows["method"] == "dixon") & (rows["at"] == "")]
    for line in lines.lines:
        own = main[(main["site"] == line.site) & (main["side"] == line.side)].set_index("measure")["value"]
        assert line.cells[0].text == f"{100 * own['fat_fraction']:.1f}"
        assert line.cells[1].value == own["volume"]
    assert all(line.cells[0].bounds in text for line in lines.lines)


def test_the_gravest_flags_come_first_and_are_said_once(rows: Table) -> None:
    flags = np.where(
        (rows["site"] == "gracilis") & (rows["at"] == ""), "fat_water_swap_suspected", "noise_floor"
    )
    quality = np.where(flags == "noise_floor", "warn", "fail")
    told = mri_rows.remarks(from_rows(rows.assign(flags=flags, quality=quality)))
    assert [one.quality for one in told] == sorted((one.quality for one in told), key=["fail", "warn"].index)
    assert "exchanged" in told[0].text
    assert "gracilis" in told[0].where
    assert len({one.text for one in told}) == len(told)


def test_a_scan_without_muscles_has_a_page_that_says_why(page: MriPage, rows: Table) -> None:
    start = {"subject": "phantom", "modality": "dixon", "measure": "fat_fraction", "method": "dixon"}
    absent = from_rows([{**start, "site": "gracilis", "side": "left", "absent": "out_of_domain"}])
    bare = replace(page, segmentation=None, table=absent)
    text = mri_page.render(bare)
    checked(text)
    assert "utside what the method was made for" in text
    assert mri_page.verdict(bare) == "fail"


def test_echoes_add_maps_of_confidence_and_deviation(page: MriPage, text: str) -> None:
    volume = page.acquisition.payload
    assert isinstance(volume, Volume)
    one = np.full(volume.shape, 0.5, np.float32)
    maps = {"fat_fraction": one, "confidence": one, "certainty": one, "fat_fraction_sd": 0.1 * one}
    scan = replace(page.acquisition, payload=Volume({**volume.channels, **maps}, volume.affine))
    richer = replace(page, acquisition=scan, expected={("gracilis", "left"): 0.873})
    more = mri_page.render(richer)
    checked(more)
    for title in ("Confidence", "Certainty", "Standard deviation", "Proton density fat fraction", ">0.87<"):
        assert title in more
        assert title not in text


def test_the_bias_budget_is_printed_with_its_signs(page: MriPage) -> None:
    budget = pd.DataFrame(
        {"source": ["T1 weighting", "T1 of the subject"], "at_10": [2.0, 0.3], "at_30": [3.0, 0.4],
         "at_50": [np.nan, 0.5], "corrected": ["no", "doubt"], "note": ["TR 10 ms", "SD"]}
    )  # fmt: skip
    text = mri_page.render(replace(page, budget=budget))
    assert "+2.00" in text
    assert "\u00b10.30" in text
    assert "not corrected" in text


def test_the_same_page_gives_the_same_bytes(page: MriPage, text: str, tmp_path: Path) -> None:
    mri_page.write(page, tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text() == text


def test_other_payloads_are_refused(page: MriPage) -> None:
    with pytest.raises(InvalidInput, match="volume"):
        mri_page.render(replace(page, acquisition=replace(page.acquisition, payload=Form({}))))


def test_doubtful_slices_are_shown(phantom: Phantom) -> None:
    volume = phantom.acquisition.payload
    assert isinstance(volume, Volume)
    stack = make_stack(volume, phantom.segmentation)
    deep = replace(
        stack,
        labels=np.repeat(stack.labels, 20, axis=0),
        tissue=np.repeat(stack.tissue, 20, axis=0),
        heights_mm=np.arange(60.0),
    )
    plain = mri_slices.choose(deep, ())
    assert len(plain) == mri_slices.MOST_SLICES
    strange = next(level for level in range(60) if level not in plain)
    assert strange in mri_slices.choose(deep, [strange])
    assert len(mri_slices.choose(deep, [strange])) == mri_slices.MOST_SLICES


def test_contours_close_around_their_regions() -> None:
    labels = np.zeros((6, 8), np.uint16)
    labels[1:4, 2:6] = 3
    (_, path, _) = mri_slices._contours(labels, (2.0, 2.0), {3: "#abc"})
    assert 'stroke="#abc"' in path
    start = re.search(r"M(\d+) (\d+)", path)
    assert start is not None
    steps = [(int(x), int(y)) for x, y in re.findall(r"l(-?\d+) ?(-?\d+)", path)]
    points = np.cumsum([(int(start[1]), int(start[2])), *steps], axis=0)
    assert points.min(axis=0).tolist() == [4, 2]
    assert points.max(axis=0).tolist() == [12, 8]
    assert path.rstrip('"/>').endswith("z")


def test_profiles_need_two_slices(rows: Table) -> None:
    heights = np.array([0.0, 5.0, 10.0])
    drawing = mri_profiles.profile(rows, "fat_fraction", heights, key="f", simulated=False)
    assert drawing is not None
    assert "gracilis" in drawing.alt
    single = rows[rows["at"] != "slice:0"]
    single = single[single["at"] != "slice:2"]
    assert mri_profiles.profile(single, "fat_fraction", heights, key="f", simulated=False) is None


def test_the_list_puts_failures_on_top(page: MriPage, tmp_path: Path) -> None:
    summary = {
        "acquisition": {"subject": "s"}, "page": "delivery/scans/a.html", "quality": "ok", "thumbnail": "data:,",
        "remarks": [{"quality": "warn", "text": "noise", "where": "all"}] * 5, "simulated": True, "rater": "r",
        "summary": {"muscles": 2, "fat_fraction": 0.123, "volume": None},
    }  # fmt: skip
    lines = [
        mri_report.ScanLine("a", summary),
        mri_report.ScanLine("b", {**summary, "quality": "fail", "page": "delivery/scans/b.html"}),
    ]
    report = mri_report.MriReport(lines, {"c": "truncated <file>"}, {"d": "no Dixon"})
    text = mri_report.write(report, tmp_path / "list.html").read_text()
    checked(text)
    assert (
        text.index("truncated &lt;file&gt;")
        < text.index('href="scans/b.html"')
        < text.index('href="scans/a.html"')
    )
    assert "12.3" in text
    assert "and 2 more" in text
    assert "SIMULATED DATA" in text
