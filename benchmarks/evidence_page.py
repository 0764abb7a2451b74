"""Write docs/evidence.md and the validation pages from the evidence tables that ship."""

from pathlib import Path

import pandas as pd

from myoproof.evidence.shipped import tables

DOCS = Path(__file__).resolve().parents[1] / "docs"
HEAD = """# Evidence

These tables ship with the product and are shown in every report. They are written by `make validate`, carry
their date and version, and are stale as soon as the method's version rises. All of it is simulated unless the
population says otherwise. A rate is judged with its Monte Carlo interval; replicates were fixed beforehand;
validation seeds were never used for tuning.
"""
MRI_HEAD = """# Validation of the muscle MRI chain

From echoes to measures: what was measured against simulated truth, public data or published values, failures
included. Rows whose population names real data are real; all others are simulated. Made from the evidence
tables that ship; [all evidence](../evidence.md) has the rest. Speed is in `benchmarks/history/`, and how each
number is made on the page of its method. Research use only; not a medical device.
"""
MRI = (
    "dixon",
    "multiecho",
    "fatwater",
    "relaxation",
    "thigh",
    "propagate",
    "radiomics",
    "heterogeneity",
)
"""Methods of the muscle MRI chain."""

ULTRASOUND_HEAD = """# Validation of neuromuscular ultrasound

From images to measures, z-scores and one scale for several devices: what was measured against observers,
masks drawn by hand and simulated truth, failures included. Rows whose population names real data are
real; all others are simulated. Made from the evidence tables that ship; [all evidence](../evidence.md)
has the rest. Speed is in `benchmarks/history/`, and how each number is made on the page of its method.
Research use only; not a medical device.
"""
ULTRASOUND = (
    "muscle_us",
    "ultrasound",
    "muscle_us_transverse",
    "architecture",
    "echogenicity",
    "zscore",
    "device_transfer",
    "nerve",
    "fasciculation",
)
"""Methods of neuromuscular ultrasound."""


def cell(row: pd.Series) -> str:
    """A value with its interval."""
    if pd.isna(row["value"]):
        return ""
    text = f"{row['value']:.4g}"
    return text if pd.isna(row["low"]) else f"{text} ({row['low']:.4g} to {row['high']:.4g})"


def page(head: str = HEAD, methods: tuple[str, ...] = ()) -> str:
    """A page as Markdown: a section per method (of the given ones), a line per evidence row."""
    rows = tables()
    if methods:
        rows = rows[rows["about"].str.split(r"[@:]", regex=True).str[0].isin(methods)]
    parts = [head]
    for about, group in rows.groupby("about", sort=True):
        made = ", ".join(
            sorted({f"{d}, version {v}" for d, v in zip(group["date"], group["version"], strict=True)})
        )
        parts.append(f"\n## {about}\n\nMade {made}.\n")
        parts.append(
            "| what | value (interval) | n | population | criterion | verdict |\n|---|---|---|---|---|---|"
        )
        for _, row in group.iterrows():
            count = "" if pd.isna(row["n"]) else f"{row['n']:.0f}"
            fields = [f"{row['kind']}: {row['metric']}", cell(row), count]
            fields += [row["population"], row["criterion"], row["verdict"] or "describes"]
            parts.append("| " + " | ".join(str(field).replace("|", "/") for field in fields) + " |")
    return "\n".join(parts) + "\n"


def pages() -> dict[Path, str]:
    """Every page that is made from evidence rows."""
    return {
        DOCS / "evidence.md": page(),
        DOCS / "validation" / "mri.md": page(MRI_HEAD, MRI),
        DOCS / "validation" / "ultrasound.md": page(ULTRASOUND_HEAD, ULTRASOUND),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
