"""What commands say: tables, progress, and messages for people."""

import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

out_console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)


def workflow(module: str) -> Any:
    """A workflow module, loaded only when a command needs it: `--help` stays quick."""
    return importlib.import_module(f"myoproof.workflow.{module}")


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on a terminal; silent elsewhere."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    quiet = not error_console.is_terminal
    with Progress(*columns, console=error_console, transient=True, disable=quiet) as bars:
        task = bars.add_task("starting", total=1.0)
        yield lambda what, share: bars.update(task, description=what, completed=share)


def print_frame(frame: Any, title: str = "") -> None:
    """Print a data frame as a table."""
    table = Table(title=title or None, show_lines=False)
    for name in frame.columns:
        number = frame[name].dtype.kind in "fi"
        table.add_column(str(name), overflow="fold", justify="right" if number else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(escape(_cell(value)) for value in row))
    out_console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def escape(text: str) -> str:
    """Text that rich prints as it is."""
    return text.replace("[", r"\[")
