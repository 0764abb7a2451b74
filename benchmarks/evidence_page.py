"""Write docs/evidence.md from the evidence tables that ship."""

from pathlib import Path

import pandas as pd

from myoproof.evidence.shipped import tables

PAGE = Path(__file__).resolve().parents[1] / "docs" / "evidence.md"
HEAD = """# Evidence

These tables ship with the product and are shown in every report. They are written by `make validate`, carry
their date and version, and are stale as soon as the method's version rises. All of it is simulated unless the
population says otherwise. A rate is judged with its Monte Carlo interval; replicates were fixed beforehand;
validation seeds were never used for tuning.
"""


def cell(row: pd.Series) -> str:
    """A value with its interval."""
    if pd.isna(row["value"]):
        return ""
    text = f"{row['value']:.4g}"
    return text if pd.isna(row["low"]) else f"{text} ({row['low']:.4g} to {row['high']:.4g})"


def page() -> str:
    """The page as Markdown: a section per method, a line per evidence row."""
    rows = tables()
    parts = [HEAD]
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


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
