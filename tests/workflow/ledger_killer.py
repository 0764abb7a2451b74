"""A small run over a ledger that is killed at the n-th step of its writer; the steps are file and row changes."""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from myoproof.workflow.executors import Here
from myoproof.workflow.ledger import Task, opened
from myoproof.workflow.ledger_drive import drive

TASKS = [Task(f"scan-{number}", "write@1", {"n": number}, (f"digest-{number}",)) for number in range(3)]
THIS = type(sys)("ledger_killer")
"""Where the driver finds :func:`write`, however this file was loaded."""
CALLS = ("replace", "fsync", "mkdir", "unlink", "chmod", "write")


def write(argument: Mapping[str, Any]) -> dict[str, Any]:
    """Write two files, one of them shared by all tasks, and note that it was done."""
    task, staging = Task.of(argument["task"]), Path(argument["staging"])
    (staging / "tables").mkdir()
    (staging / "tables" / f"{task.id}.csv").write_text(f"n\n{task.parameters['n']}\n" * 100)
    (staging / f"{task.key}.txt").write_text("the same in all")
    log = staging.parents[2] / "executed.log"
    with log.open("a") as stream:
        stream.write(f"{task.id}\n")
    return {"n": task.parameters["n"]}


THIS.write = write  # type: ignore[attr-defined]


def run(folder: Path) -> None:
    """One run, as the product makes it."""
    sys.modules["ledger_killer"] = THIS
    with opened(folder) as ledger:
        manifest = ledger.enter(TASKS)
        ledger.mend(manifest)
        drive(ledger, manifest, Here(), function="ledger_killer:write")
        ledger.show()


class Steps:
    """Counts steps and kills this process at one of them."""

    def __init__(self, last: int) -> None:
        self.count, self.last = 0, last

    def step(self) -> None:
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A step before a call and one behind it."""

        def counted(*arguments: Any, **options: Any) -> Any:
            self.step()
            value = call(*arguments, **options)
            self.step()
            return value

        return counted


def killed_run(folder: Path, last: int) -> int:
    """Run with a kill at step ``last``; the number of steps where it was never reached."""
    steps = Steps(last)

    class Connection(sqlite3.Connection):
        def execute(self, *arguments: Any) -> Any:
            steps.step()
            value = super().execute(*arguments)
            steps.step()
            return value

    plain = sqlite3.connect
    sqlite3.connect = lambda *a, **k: plain(*a, **k, factory=Connection)  # type: ignore[assignment]
    for name in CALLS:
        setattr(os, name, steps.around(getattr(os, name)))
    run(folder)
    return steps.count


def main() -> None:
    """``FOLDER FIRST LAST STRIDE``: a forked child for every step; prints the states after each kill."""
    root, first, last, stride = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    told = []
    for step in range(first, last, stride):
        folder = root / f"{step:04d}"
        child = os.fork()
        if child == 0:
            killed_run(folder, step)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            told.append({"step": step, "killed": False, "code": os.WEXITSTATUS(status)})
            break
        told.append({"step": step, "killed": True})
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
