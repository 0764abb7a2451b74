"""Executors: where jobs run. Here, or in worker processes that may die without taking the run along."""

import contextlib
import ctypes
import errno
import importlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any, Literal, Protocol, Self

from myoproof.errors import InvalidInput, MissingExtra, OutOfDomain, UnknownName

FINAL = (InvalidInput, UnknownName, OutOfDomain, MissingExtra)
"""Faults that another try cannot mend."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Faults of the output disk, never of the input."""
MOST_THREADS = 2
"""Threads of compiled kernels a worker takes at most."""
TAIL = 2000
"""Characters of a dead worker's last words that are kept."""
PR_SET_PDEATHSIG = 1
"""linux/prctl.h: the signal a process gets when its parent dies."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to run: a function by its name and one argument that is plain JSON.

    Parameters
    ----------
    id : str
        Unique among the jobs in flight.
    function : str
        ``package.module:function``; it takes the argument and returns plain JSON.
    argument : mapping
        Plain JSON.
    """

    id: str
    function: str
    argument: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Parameters
    ----------
    id : str
        The job's.
    kind : {"done", "failed", "refused", "died", "late", "no_room"}
        Finished; an error; an error that another try cannot mend; the worker died; the time limit; the output
        disk took no more (which is not the job's fault).
    value : Any
        What the function returned, when done.
    reason : str
        One sentence, when not.
    detail : str
        Traceback, or a dead worker's last words.
    """

    id: str
    kind: Literal["done", "failed", "refused", "died", "late", "no_room"]
    value: Any = None
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use; None means no limit.

    Parameters
    ----------
    memory_gib : float, optional
        Private memory of the worker process.
    time_s : float, optional
        Wall-clock time.
    """

    memory_gib: float | None = None
    time_s: float | None = None


class Executor(Protocol):
    """Where jobs run. It remembers nothing: the ledger does."""

    slots: int
    """Jobs it can hold at once."""

    def submit(self, job: Job) -> None:
        """Take a job; never more than ``slots`` are in flight."""
        ...

    def wait(self) -> Outcome:
        """The next job that ends."""
        ...

    def close(self) -> None:
        """Stop; jobs in flight are lost."""
        ...


def perform(job: Job) -> Outcome:
    """Run a job in this process; an error becomes an outcome.

    Parameters
    ----------
    job : Job
        What to run.

    Examples
    --------
    >>> perform(Job("a", "math:sqrt", 4)).value
    2.0
    >>> perform(Job("a", "math:no_such", 4)).kind
    'failed'
    """
    try:
        module, _, name = job.function.partition(":")
        value = getattr(importlib.import_module(module), name)(job.argument)
    except Exception as error:
        return _fault(job.id, error)
    return Outcome(job.id, "done", value=value)


def _fault(job: str, error: Exception) -> Outcome:
    detail = "".join(traceback.format_exception(error))
    reason = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        return Outcome(job, "failed", reason=f"ran out of memory ({reason})", detail=detail)
    if isinstance(error, FINAL):
        return Outcome(job, "refused", reason=reason, detail=detail)
    if _no_room(error):
        return Outcome(job, "no_room", reason=reason, detail=detail)
    told = reason if isinstance(error, OSError) else f"{type(error).__name__}: {reason}"
    return Outcome(job, "failed", reason=told, detail=detail)


def _no_room(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return True
        error = error.__cause__ or error.__context__
    return False


class Here:
    """Jobs one after the other in this process: for debugging, and where processes cannot be made."""

    def __init__(self) -> None:
        self.slots = 1
        self._waiting: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._waiting.append(job)

    def wait(self) -> Outcome:
        """Run the oldest job."""
        return perform(self._waiting.popleft())

    def close(self) -> None:
        """Nothing to stop."""
        self._waiting.clear()


@dataclass(slots=True)
class _Worker:
    """One worker process, its pipes, and the job it holds."""

    process: subprocess.Popen[bytes]
    tasks: IO[bytes]
    answers: IO[bytes]
    words: IO[bytes]
    job: Job | None = None
    deadline: float = float("inf")


class Pool:
    """Jobs in worker processes, each started afresh (no fork of this one's threads).

    A worker that dies, or that its limit stops, ends its own job only and is replaced. Workers end with
    this process, however it ends.

    Parameters
    ----------
    workers : int
        Processes; each takes so few threads that all together stay within the cores.
    limits : Limits
        Of every job.

    Examples
    --------
    >>> with Pool(1) as pool:
    ...     pool.submit(Job("root", "math:sqrt", 9))
    ...     pool.wait().value
    3.0
    """

    def __init__(self, workers: int, *, limits: Limits = Limits()) -> None:
        self.slots = workers
        self._limits = limits
        self._threads = max(1, min(MOST_THREADS, (os.cpu_count() or 1) // workers))
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

    def __enter__(self) -> Self:
        """Nothing is started before the first job."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all workers."""
        self.close()

    def submit(self, job: Job) -> None:
        """Hand a job to an idle worker, or to a new one."""
        while self._idle and self._idle[-1].process.poll() is not None:
            _end(self._idle.pop())
        worker = self._idle.pop() if self._idle else self._start()
        worker.job = job
        worker.deadline = time.monotonic() + (self._limits.time_s or float("inf"))
        self._busy.append(worker)
        with contextlib.suppress(BrokenPipeError):  # its closed pipe tells wait that it is dead
            worker.tasks.write(_line(asdict(job)))
            worker.tasks.flush()

    def wait(self) -> Outcome:
        """The next job that ends, by itself, by its worker's death or by its time limit."""
        with selectors.DefaultSelector() as selector:
            for worker in self._busy:
                selector.register(worker.answers, selectors.EVENT_READ, worker)
            while True:
                soonest = min(worker.deadline for worker in self._busy)
                patience = None if soonest == float("inf") else max(0.0, soonest - time.monotonic())
                ready = selector.select(patience)
                if ready:
                    return self._collect(min((key.data for key, _ in ready), key=self._busy.index))
                late = [worker for worker in self._busy if worker.deadline <= time.monotonic()]
                if late:
                    return self._overdue(late[0])

    def close(self) -> None:
        """Kill all workers."""
        for worker in (*self._busy, *self._idle):
            _end(worker)
        self._busy, self._idle = [], []

    def _start(self) -> _Worker:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        memory = str(self._limits.memory_gib or 0)
        command = [sys.executable, "-m", __name__, str(theirs_in), str(theirs_out), str(os.getpid()), memory]
        words = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the worker
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            pass_fds=(theirs_in, theirs_out),
            env={**os.environ, **_thread_limits(self._threads)},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        return _Worker(process, os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb"), words)

    def _collect(self, worker: _Worker) -> Outcome:
        self._busy.remove(worker)
        assert worker.job is not None
        job, line = worker.job, worker.answers.readline()
        if line.endswith(b"\n"):
            worker.job = None
            self._idle.append(worker)
            return Outcome(**json.loads(line))
        words = _end(worker, dying_s=5.0)
        reason = f"its worker process {_death(worker.process.returncode)}"
        return Outcome(job.id, "died", reason=reason, detail=words)

    def _overdue(self, worker: _Worker) -> Outcome:
        self._busy.remove(worker)
        assert worker.job is not None
        words = _end(worker)
        reason = f"took longer than {self._limits.time_s:g} s and was stopped"
        return Outcome(worker.job.id, "late", reason=reason, detail=words)


def _end(worker: _Worker, *, dying_s: float = 0.0) -> str:
    """End a worker and give its last words; one that is dying by itself may leave its own exit code."""
    try:
        worker.process.wait(timeout=dying_s)
    except subprocess.TimeoutExpired:
        worker.process.kill()
    worker.process.wait()
    worker.answers.close()
    with contextlib.suppress(BrokenPipeError):
        worker.tasks.close()
    with worker.words as words:
        words.seek(0)
        return words.read()[-TAIL:].decode("utf-8", "replace")


def _death(code: int) -> str:
    if code >= 0:
        return f"ended by itself (exit code {code})"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    more = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
    return f"was killed ({name}{more})"


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _thread_limits(threads: int) -> dict[str, str]:
    """Linear algebra on one thread, since its sums depend on their number; our own kernels on a few."""
    single = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return {**dict.fromkeys(single, "1"), "NUMBA_NUM_THREADS": str(threads)}


def _end_with_parent(parent: int) -> None:
    """Die when the run dies; elsewhere than on Linux the closed pipe tells it after the job."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(0)


def work(tasks: IO[bytes], answers: IO[bytes]) -> None:
    """A worker's life: a job a line, an outcome a line, until the pipe closes.

    Parameters
    ----------
    tasks, answers : binary streams
        JSON lines.
    """
    for line in tasks:
        outcome = perform(Job(**json.loads(line)))
        try:
            answers.write(_line(asdict(outcome)))
        except TypeError as error:
            told = Outcome(outcome.id, "failed", reason=f"its answer is no JSON ({error})")
            answers.write(_line(asdict(told)))
        answers.flush()


def _main(arguments: list[str]) -> None:
    tasks, answers, parent, memory_gib = arguments
    _end_with_parent(int(parent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if float(memory_gib):
        most = int(float(memory_gib) * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with os.fdopen(int(tasks), "rb") as reading, os.fdopen(int(answers), "wb") as writing:
        work(reading, writing)


if __name__ == "__main__":
    _main(sys.argv[1:])
