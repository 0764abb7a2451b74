"""The report in a real browser: no error, no request, tables that sort, nothing wider than a phone."""

import functools
import html
import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from myoproof.delivery.report import write

pytestmark = pytest.mark.browser

ROWS = Path(__file__).parents[1] / "delivery" / "conftest.py"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars",
)  # fmt: skip

LISTEN = """<script>
window.faults = [];
addEventListener("error", (e) => faults.push(String(e.message)), true);
addEventListener("securitypolicyviolation", (e) => faults.push("policy: " + e.violatedDirective + " " + e.blockedURI));
</script>"""

CHECK = """<script>
addEventListener("load", () => {
  const told = {faults, title: document.title, lang: document.documentElement.lang};
  const live = document.getElementById("live");
  told.tables = [...document.querySelectorAll("table.sortable")].map((table) => {
    const heads = [...table.tHead.rows[0].cells];
    return heads.map((head, place) => {
      const button = head.querySelector("button");
      const keys = () => [...table.tBodies[0].rows].map((row) => row.cells[place].dataset.key);
      button.click();
      const up = {sort: head.getAttribute("aria-sort"), keys: keys(), said: live.textContent};
      button.click();
      const down = {sort: head.getAttribute("aria-sort"), keys: keys()};
      const others = heads.filter((other) => other !== head).map((other) => other.getAttribute("aria-sort"));
      button.focus();
      return {label: head.textContent.trim(), numeric: head.classList.contains("number"), up, down, others,
              focused: document.activeElement === button};
    });
  });
  told.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
  told.images = [...document.images].map((image) => image.naturalWidth);
  told.drawings = [...document.querySelectorAll("svg")].map((svg) => svg.getBoundingClientRect().width);
  const out = document.createElement("script");
  out.type = "application/json"; out.id = "told"; out.textContent = JSON.stringify(told).replace(/</g, "\\\\u003c");
  document.body.append(out);
});
</script>"""

PHONE = """<!doctype html><iframe style="width:390px;height:800px;border:0" srcdoc="{page}"></iframe>
<script>addEventListener("load", () => {{
  const inside = document.querySelector("iframe").contentDocument, root = inside.documentElement;
  const told = {{width: root.clientWidth, scroll: root.scrollWidth, open: inside.querySelector(".contents").open,
    wide: [...inside.querySelectorAll("main *")].filter((e) => !e.closest(".scroll, .frame, pre") &&
      e.getBoundingClientRect().right > root.clientWidth + 1 && !e.matches(".scroll, .frame, pre")).map((e) => e.tagName)}};
  const out = document.createElement("script");
  out.type = "application/json"; out.id = "told"; out.textContent = JSON.stringify(told);
  document.body.append(out);
}});</script>"""


@pytest.fixture(scope="module")
def program() -> str:
    """The browser; without one the tests are skipped, on the machine that decides they fail."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        told = "no browser found: install the Debian package chromium (apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full report of the delivery tests."""
    spec = importlib.util.spec_from_file_location("delivery_rows", ROWS)
    assert spec
    assert spec.loader
    rows = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rows)
    return write(rows.full_report(), tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def opened(program: str, page: Path) -> tuple[dict[str, Any], str, list[str]]:
    """What the page told when opened: its own account, the browser's log, the addresses asked for."""
    copy = page.with_name("checked.html")
    text = page.read_text(encoding="utf-8").replace(
        '<meta charset="utf-8">', '<meta charset="utf-8">' + LISTEN, 1
    )
    copy.write_text(text.replace("</body>", CHECK + "</body>"), encoding="utf-8")
    netlog = page.with_name("net.json")
    done = _browse(program, copy, "--enable-logging=stderr", "--v=0", f"--log-net-log={netlog}")
    return _told(done.stdout), done.stderr, _asked(netlog)


@functools.cache
def _browse(program: str, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    profile = path.parent / f"profile-{path.stem}"
    command = [program, *QUIET, f"--user-data-dir={profile}", *options, "--dump-dom", path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)


def _told(dom: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="told">(.*?)</script>', dom, flags=re.DOTALL)
    assert found, "the page ran to its end"
    told: dict[str, Any] = json.loads(found[1])
    return told


def _asked(netlog: Path) -> list[str]:
    """Addresses that a page asked for; the browser's own requests have no origin."""
    log = json.loads(netlog.read_text(encoding="utf-8", errors="replace"))
    started = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    parameters = [event.get("params", {}) for event in log["events"] if event["type"] == started]
    own = [found for found in parameters if found.get("initiator", "not an origin") != "not an origin"]
    return sorted({found["url"] for found in own if not found["url"].startswith(("file:", "data:"))})


def test_the_page_opens_without_error_or_violation(opened: tuple[dict[str, Any], str, list[str]]) -> None:
    told, log, _ = opened
    assert told["faults"] == []
    assert not [line for line in log.splitlines() if "CONSOLE" in line]
    assert told["lang"] == "en"
    assert told["title"] == "ALS muscle imaging, demonstration (simulated data)"


def test_no_request_leaves_the_file(opened: tuple[dict[str, Any], str, list[str]]) -> None:
    told, _, asked = opened
    assert told["requests"] == []
    assert asked == []


def test_a_request_would_be_seen(program: str, tmp_path: Path) -> None:
    """The instrument itself: without the policy, a page that asks is caught asking."""
    leaky, netlog = tmp_path / "leaky.html", tmp_path / "net.json"
    leaky.write_text('<!doctype html><img src="http://leak.example/pixel.png">', encoding="utf-8")
    _browse(program, leaky, f"--log-net-log={netlog}")
    assert _asked(netlog) == ["http://leak.example/pixel.png"]


def test_every_picture_is_drawn(opened: tuple[dict[str, Any], str, list[str]]) -> None:
    told, _, _ = opened
    assert told["images"] == [300]
    assert len(told["drawings"]) == 15
    assert min(told["drawings"]) > 500


def test_every_table_sorts_by_every_column_both_ways(opened: tuple[dict[str, Any], str, list[str]]) -> None:
    told, _, _ = opened
    assert len(told["tables"]) == 16
    for column in (column for table in told["tables"] for column in table):
        up, down = column["up"], column["down"]
        assert (up["sort"], down["sort"]) == ("ascending", "descending")
        assert set(column["others"]) <= {"none"}
        assert up["said"] == f"Sorted by {column['label']}, ascending"
        assert sorted(up["keys"]) == sorted(down["keys"]), "no row is lost"
        if column["numeric"]:
            filled = [float(key) for key in up["keys"] if key]
            assert filled == sorted(filled)
            turned = [float(key) for key in down["keys"] if key]
            assert turned == sorted(filled, reverse=True)
            blanks = len(up["keys"]) - len(filled)
            assert all(keys[len(filled) :] == [""] * blanks for keys in (up["keys"], down["keys"])), (
                "absent last"
            )


def test_sort_buttons_take_the_focus(opened: tuple[dict[str, Any], str, list[str]]) -> None:
    told, _, _ = opened
    shown = [column for table in told["tables"] for column in table if column["focused"]]
    assert len(shown) > 20, "those within closed details wait until these are opened"


def test_at_phone_width_nothing_is_wider_than_the_screen(program: str, page: Path) -> None:
    framed = page.with_name("phone.html")
    framed.write_text(PHONE.format(page=html.escape(page.read_text(encoding="utf-8"))), encoding="utf-8")
    told = _told(_browse(program, framed).stdout)
    assert told["width"] == 390
    assert told["wide"] == []
    assert told["scroll"] == told["width"]
    assert not told["open"], "the contents are folded"


def test_it_prints_on_a4_with_the_banner_on_every_page(program: str, page: Path) -> None:
    reader = shutil.which("pdftotext")
    if reader is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "no pdftotext: install the Debian package poppler-utils"
        )
    printed = page.with_name("report.pdf")
    profile = page.parent / "profile-print"
    command = [
        program,
        *QUIET,
        f"--user-data-dir={profile}",
        "--no-pdf-header-footer",
        f"--print-to-pdf={printed}",
    ]
    subprocess.run([*command, page.as_uri()], capture_output=True, timeout=90, check=True)
    text = subprocess.run([reader, str(printed), "-"], capture_output=True, text=True, check=True).stdout
    pages = text.rstrip("\f").split("\f")
    assert len(pages) > 5
    assert all("SIMULATED DATA" in sheet for sheet in pages)
    assert f"1 / {len(pages)}" in pages[0]
