"""The driver: waiting tasks of a manifest go to an executor, and what comes back goes into the ledger."""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from myoproof.errors import NotWritable
from myoproof.workflow.executors import Executor, Job, Outcome
from myoproof.workflow.ledger import Ledger
from myoproof.workflow.ledger_tasks import Task

TRIES = 3
"""Attempts before a task is quarantined."""
Tell = Callable[[Task, str, str], None]
"""Called with a task, how it stands now ("started", "done", "waiting", "quarantined"), and why."""
Count = Callable[[str, str, str, int, int], None]
"""Called with a key, how it stands, why (or what came of it), how many are done and how many there are."""


def drive(
    ledger: Ledger,
    manifest: str,
    executor: Executor,
    *,
    function: str,
    tries: int = TRIES,
    tell: Tell = lambda *_: None,
) -> None:
    """Run what a manifest still has to do.

    Parameters
    ----------
    ledger : Ledger
        Open.
    manifest : str
        Digest of the manifest.
    executor : Executor
        Where the tasks run; left open.
    function : str
        ``module:function``, called with ``{"task": record, "staging": folder}``; it writes its files below
        the folder, under the names that they shall have, and returns a summary that is plain JSON.
    tries : int
        Failures after which a task is quarantined; an error that another try cannot mend quarantines at once.
    tell : callable
        Told of every change.

    Raises
    ------
    NotWritable
        If the output disk takes no more; what is finished is kept, nothing counts against a task.
    """
    queue = deque(ledger.waiting(manifest))
    flying: dict[str, tuple[Task, Path]] = {}
    try:
        while queue or flying:
            while queue and len(flying) < executor.slots:
                task = queue.popleft()
                staging = ledger.begin(task)
                flying[task.id] = (task, staging)
                tell(task, "started", "")
                executor.submit(Job(task.id, function, {"task": task.record, "staging": str(staging)}))
            outcome = executor.wait()
            task, staging = flying[outcome.id]
            state = _settle(ledger, task, staging, outcome, tries)
            del flying[outcome.id]
            if state == "waiting":
                queue.append(task)
            tell(task, state, outcome.reason)
    finally:
        for task, _ in flying.values():
            ledger.release(task)


def _settle(ledger: Ledger, task: Task, staging: Path, outcome: Outcome, tries: int) -> str:
    if outcome.kind == "done":
        ledger.publish(task, staging, outcome.value)
        return "done"
    if outcome.kind == "no_room":
        mend = "free space and run again: what is finished is kept"
        raise NotWritable(outcome.reason, where=str(ledger.folder), mend=mend)
    allowed = 1 if outcome.kind == "refused" else tries
    return ledger.fail(task, outcome.kind, outcome.reason, outcome.detail, tries=allowed)


def drive_counted(
    ledger: Ledger,
    manifest: str,
    executor: Executor,
    *,
    function: str,
    tries: int,
    line: Callable[[Mapping[str, Any]], str],
    tell: Count,
) -> None:
    """Run what a manifest still has to do, and count what is done.

    Parameters
    ----------
    ledger, manifest, executor, function, tries
        As :func:`drive` takes them.
    line : callable
        The summary of a finished task -> what was measured, in one line.
    tell : callable
        See ``Count``.
    """
    entries = ledger.entries(manifest)
    total, done = len(entries), sum(entry.state != "waiting" for entry in entries)

    def told(task: Task, state: str, why: str) -> None:
        nonlocal done
        done += state in ("done", "quarantined")
        tell(task.key, state, line(ledger.summary(task.id)) if state == "done" else why, done, total)

    drive(ledger, manifest, executor, function=function, tries=tries, tell=told)
