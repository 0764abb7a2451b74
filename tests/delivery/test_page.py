"""Tables as values: alignment, sort keys, CSV."""

import io
from urllib.parse import unquote

import numpy as np
import pandas as pd

from myoproof.delivery.page import (
    Grid,
    align,
    arranged,
    interval_column,
    number_column,
    p_column,
    text_column,
)


def test_decimal_signs_line_up_under_right_alignment() -> None:
    padded = align(["1.05", "−12", "0.345", "–"])
    assert {len(text) - text.index(".") for text in padded if "." in text} == {4}
    assert padded[1] == "−12\u2008\u2007\u2007\u2007"
    assert padded[3] == "–"


def test_an_absent_number_has_an_empty_sort_key() -> None:
    column = number_column("x", [2.0, float("nan"), -1.0])
    assert [cell.key for cell in column.cells] == ["2", "", "-1"]


def test_intervals_sort_by_their_estimate_and_p_by_its_value() -> None:
    column = interval_column("x", [1.0, 0.2], [(0.5, 1.5), (np.nan, np.nan)], decimals=1)
    assert [cell.text.strip("\u2007\u2008") for cell in column.cells] == ["1.0 (0.5 to 1.5)", "0.2"]
    assert [cell.key for cell in column.cells] == ["1", "0.2"]
    assert p_column("p", [1e-9]).cells[0].key == "1e-09"


def test_the_csv_holds_the_stored_rows_to_the_last_digit() -> None:
    rows = pd.DataFrame(
        {"term": ["fat_fraction/thigh/both"], "value": [0.1 + 0.2], "flags": [""], "df": [np.nan]}
    )
    grid = Grid("k", "t", (text_column("Term", ["x"]),), rows)
    assert grid.csv == "term,value\nfat_fraction/thigh/both,0.30000000000000004\n"
    told = unquote(grid.csv_uri.split(",", 1)[1])
    assert pd.read_csv(io.StringIO(told), float_precision="round_trip")["value"].tolist() == [0.1 + 0.2]


def test_a_column_that_says_nothing_is_not_shown() -> None:
    grid = Grid("k", "t", (text_column("Term", ["x"]), text_column("Remark", [""])), pd.DataFrame({"a": [1]}))
    assert [column.label for column in grid.shown] == ["Term"]
    assert len(grid.lines[0]) == 1


def test_figures_that_could_not_be_drawn_are_told_of() -> None:
    assert arranged([("silhouette", None), "text", ("outcome", None)]) == (
        "text",
        "No figure, because the result holds no usable rows for it: silhouette and outcome.",
    )
