"""Executors: what becomes of jobs that answer, fail, die, hang, hoard or fill the disk."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from myoproof.workflow.executors import Here, Job, Limits, Outcome, Pool, perform

WORK = """
import errno, os, signal, sys, time
from pathlib import Path
from myoproof.errors import InvalidInput, NotWritable

def double(x): return 2 * x
def speak(x): print("noise on stdout", x); print("noise on stderr", file=sys.stderr); return x
def fail(x): raise RuntimeError(f"no good: {x}")
def refuse(x): raise InvalidInput("holds nothing", where=str(x), mend="fill it")
def die(x): sys.stderr.write("my last words\\n"); sys.stderr.flush(); os.kill(os.getpid(), x)
def leave(x): os._exit(x)
def hang(x): time.sleep(60)
def hoard(x): return len(bytes(x))
def full(x): raise OSError(errno.ENOSPC, "No space left on device")
def full_beneath(x):
    try: full(x)
    except OSError as error: raise NotWritable("cannot be written") from error
def odd(x): return {1, 2}
def limits(x): return {name: os.environ.get(name) for name in x}
def slowly(x): time.sleep(x); return os.getpid()
def mark(x): Path(x).write_text(str(os.getpid())); time.sleep(60)
"""


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chores.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(1, limits=Limits(memory_gib=1.0, time_s=2.0)) as made:
        yield made


def ask(pool: Pool, chore: str, argument: object) -> Outcome:
    pool.submit(Job(chore, f"chores:{chore}", argument))  # type: ignore[arg-type]
    return pool.wait()


def test_a_job_answers(pool: Pool) -> None:
    assert ask(pool, "double", 21) == Outcome("double", "done", value=42)


def test_what_a_job_prints_does_not_disturb(pool: Pool) -> None:
    assert ask(pool, "speak", "x").value == "x"
    assert ask(pool, "double", 1).value == 2


def test_an_error_comes_back_with_its_traceback(pool: Pool) -> None:
    told = ask(pool, "fail", 3)
    assert (told.kind, told.reason) == ("failed", "RuntimeError: no good: 3")
    assert "chores.py" in told.detail


def test_an_error_that_no_try_can_mend_is_told_apart(pool: Pool) -> None:
    told = ask(pool, "refuse", "scan.nii")
    assert (told.kind, told.reason) == ("refused", "scan.nii: holds nothing; fill it")


@pytest.mark.parametrize(
    ("chore", "argument", "said"),
    [
        ("die", int(signal.SIGKILL), "was killed (SIGKILL"),
        ("die", int(signal.SIGSEGV), "was killed (SIGSEGV"),
        ("leave", 7, "ended by itself (exit code 7)"),
    ],
)
def test_a_dead_worker_ends_its_own_job_only(pool: Pool, chore: str, argument: int, said: str) -> None:
    told = ask(pool, chore, argument)
    assert told.kind == "died"
    assert said in told.reason
    assert ("my last words" in told.detail) == (chore == "die")
    assert ask(pool, "double", 4).value == 8


def test_a_job_that_hangs_is_stopped(pool: Pool) -> None:
    start = time.monotonic()
    told = ask(pool, "hang", 0)
    assert told.kind == "late"
    assert "2 s" in told.reason
    assert time.monotonic() - start < 20
    assert ask(pool, "double", 4).value == 8


def test_a_job_that_hoards_memory_fails_alone(pool: Pool) -> None:
    told = ask(pool, "hoard", 3 * 2**30)
    assert told.kind == "failed"
    assert "memory" in told.reason
    assert ask(pool, "hoard", 1000).value == 1000


@pytest.mark.parametrize("chore", ["full", "full_beneath"])
def test_a_full_disk_is_not_the_jobs_fault(pool: Pool, chore: str) -> None:
    assert ask(pool, chore, 0).kind == "no_room"


def test_an_answer_that_is_no_json_is_a_failure(pool: Pool) -> None:
    told = ask(pool, "odd", 0)
    assert told.kind == "failed"
    assert "JSON" in told.reason
    assert ask(pool, "double", 4).value == 8


def test_an_unknown_function_is_a_failure(pool: Pool) -> None:
    assert ask(pool, "no_such_chore", 0).kind == "failed"


def test_a_worker_killed_between_jobs_harms_none(pool: Pool) -> None:
    worker = ask(pool, "slowly", 0).value
    os.kill(worker, signal.SIGKILL)
    time.sleep(0.3)
    told = ask(pool, "slowly", 0)
    assert told.kind == "done"
    assert told.value != worker


def test_threads_of_all_workers_stay_within_the_cores() -> None:
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"]
    cores = os.cpu_count() or 1
    for workers in (1, 2, 2 * cores):
        with Pool(workers) as pool:
            given = ask(pool, "limits", names).value
        assert [given[name] for name in names[:3]] == ["1"] * 3
        assert int(given["NUMBA_NUM_THREADS"]) <= 2
        assert int(given["NUMBA_NUM_THREADS"]) * min(workers, cores) <= cores


def test_workers_work_side_by_side() -> None:
    with Pool(2) as pool:
        for name in ("a", "b"):
            pool.submit(Job(name, "chores:slowly", 0.3))  # type: ignore[arg-type]
        told = [pool.wait(), pool.wait()]
    assert {one.id for one in told} == {"a", "b"}
    assert len({one.value for one in told}) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="Linux ends workers with their parent")
def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    code = (
        "from myoproof.workflow.executors import Job, Pool\n"
        f"pool = Pool(1); pool.submit(Job('a', 'chores:mark', {str(tmp_path / 'pid')!r})); pool.wait()"
    )
    run = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        worker = int((tmp_path / "pid").read_text())
    finally:
        run.kill()
        run.wait()
    while _alive(worker):
        assert time.monotonic() < deadline + 10, "the worker outlived its run"
        time.sleep(0.05)


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_here_runs_in_order_in_this_process() -> None:
    here = Here()
    here.submit(Job("a", "json:dumps", 1))  # type: ignore[arg-type]
    assert here.wait() == Outcome("a", "done", value=json.dumps(1))
    here.submit(Job("b", "json:loads", "no json"))  # type: ignore[arg-type]
    assert here.wait().kind == "failed"
    here.close()


def test_perform_tells_memory_errors_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    def hoard(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(json, "dumps", hoard)
    assert perform(Job("a", "json:dumps", 1)).reason.startswith("ran out of memory")  # type: ignore[arg-type]
