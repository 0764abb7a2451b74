"""The ledger: what is done stays done, once; what is killed, damaged, changed or poisoned is found."""

import errno
import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myoproof.errors import InvalidInput, NotReadable, NotWritable
from myoproof.workflow import ledger_files
from myoproof.workflow.executors import Here, Job, Outcome
from myoproof.workflow.ledger import Entry, Task, opened
from myoproof.workflow.ledger_drive import drive

KILLER = Path(__file__).with_name("ledger_killer.py")
_spec = importlib.util.spec_from_file_location("ledger_killer", KILLER)
assert _spec is not None
assert _spec.loader is not None
ledger_killer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(ledger_killer)
TASK = Task("scan-1", "measure@1", {"level": 0.95}, ("a1", "b2"))


class Scripted:
    """An executor that plays what a test wrote: a text is written as the output, an outcome is told."""

    def __init__(self, script: dict[str, list[Any]], slots: int = 1) -> None:
        self.script, self.slots = script, slots
        self.ran: list[str] = []
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def wait(self) -> Outcome:
        job = self.jobs.pop(0)
        key = job.argument["task"]["key"]
        self.ran.append(key)
        play = self.script.get(key, ["text"]).pop(0)
        if isinstance(play, BaseException):
            raise play
        if isinstance(play, Outcome):
            return replace(play, id=job.id)
        (Path(job.argument["staging"]) / f"{key}.txt").write_text(play)
        return Outcome(job.id, "done", value=len(play))

    def close(self) -> None:
        self.jobs.clear()


def go(
    folder: Path, tasks: list[Task], script: dict[str, list[Any]] | None = None, **options: Any
) -> Scripted:
    executor = Scripted(script if script is not None else {task.key: ["text"] * 9 for task in tasks})
    with opened(folder) as ledger:
        manifest = ledger.enter(tasks)
        if options.pop("retry", False):
            ledger.forgive(manifest)
        ledger.mend(manifest)
        drive(ledger, manifest, executor, function="not:used", **options)
        ledger.show()
    return executor


def entries(folder: Path) -> dict[str, Entry]:
    with opened(folder) as ledger:
        return {entry.task.key: entry for entry in ledger.entries()}


def objects(folder: Path) -> list[Path]:
    return sorted((folder / "run" / "objects").glob("??/*"))


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "scan-2"},
        {"act": "measure@2"},
        {"parameters": {"level": 0.9}},
        {"inputs": ("a1", "b3")},
        {"parents": ("0123",)},
    ],
)
def test_an_id_says_what_a_task_is(changed: dict[str, Any]) -> None:
    assert replace(TASK, **changed).id != TASK.id


def test_an_id_does_not_say_where_files_lie() -> None:
    assert replace(TASK, work={"path": "/elsewhere"}).id == TASK.id


@given(
    st.builds(
        Task,
        key=st.text(max_size=8),
        act=st.text(max_size=8),
        parameters=st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4) | st.booleans()),
        inputs=st.lists(st.text(max_size=4)).map(tuple),
        work=st.dictionaries(st.text(max_size=4), st.none() | st.floats(allow_nan=False)),
    )
)
@settings(deadline=None, max_examples=50)
def test_a_record_makes_the_same_task(task: Task) -> None:
    again = Task.of(json.loads(json.dumps(task.record)))
    assert (again, again.id) == (task, task.id)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    tasks = [TASK, replace(TASK, key="scan-2")]
    assert go(tmp_path, tasks).ran == ["scan-1", "scan-2"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.txt")}
    assert go(tmp_path, tasks).ran == []
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.txt")}
    assert entries(tmp_path)["scan-1"].summary == 4


@pytest.mark.parametrize(
    "changed", [{"parameters": {"level": 0.9}}, {"act": "measure@2"}, {"inputs": ("c3",)}]
)
def test_a_changed_task_is_done_anew_and_stands_for_its_key(tmp_path: Path, changed: dict[str, Any]) -> None:
    go(tmp_path, [TASK, replace(TASK, key="scan-2")])
    new = replace(TASK, **changed)
    assert go(tmp_path, [new], {"scan-1": ["other"]}).ran == ["scan-1"]
    assert entries(tmp_path)["scan-1"].task.id == new.id
    assert (tmp_path / "scan-1.txt").read_text() == "other"
    assert entries(tmp_path)["scan-2"].state == "done", "what a later manifest does not name stays"
    assert go(tmp_path, [TASK]).ran == [], "the earlier result was kept"
    assert (tmp_path / "scan-1.txt").read_text() == "text"


def test_a_manifest_is_named_by_its_hash_and_never_changes(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        first = ledger.enter([TASK])
        file = tmp_path / "run" / "manifests" / f"{first}.json"
        text = file.read_text()
        assert ledger.enter([TASK]) == first
        assert file.read_text() == text
        assert ledger.enter([replace(TASK, inputs=("c3",))]) != first
        assert ledger_files.sha256(file).startswith(first)
        assert [entry.task for entry in ledger.entries(first)] == [TASK]


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger, pytest.raises(InvalidInput, match="scan-1 occurs twice"):
        ledger.enter([TASK, replace(TASK, inputs=("c3",))])


def test_poison_is_quarantined_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    died = Outcome("", "died", reason="its worker process was killed (SIGKILL)", detail="last words")
    tasks = [replace(TASK, key=f"scan-{number}") for number in range(4)]
    script: dict[str, list[Any]] = {task.key: ["text"] for task in tasks}
    script["scan-1"] = [died, died, died, "never"]
    script["scan-2"] = [died, "text"]
    ran = go(tmp_path, tasks, script, tries=3).ran
    found = entries(tmp_path)
    assert [found[task.key].state for task in tasks] == ["done", "quarantined", "done", "done"]
    assert (found["scan-1"].reason, found["scan-1"].detail) == (died.reason, died.detail)
    assert found["scan-1"].tries == 3
    assert ran.count("scan-1") == 3
    assert ran.count("scan-2") == 2
    assert go(tmp_path, tasks, script).ran == [], "a quarantined task waits for a person"
    assert go(tmp_path, tasks, script, retry=True).ran == ["scan-1"]
    assert entries(tmp_path)["scan-1"].state == "done"


def test_what_no_try_can_mend_is_tried_once(tmp_path: Path) -> None:
    refused = Outcome("", "refused", reason="the mask has another shape")
    assert go(tmp_path, [TASK], {"scan-1": [refused]}).ran == ["scan-1"]
    assert entries(tmp_path)["scan-1"].state == "quarantined"


def test_mended_input_goes_on(tmp_path: Path) -> None:
    refused = Outcome("", "refused", reason="truncated")
    go(tmp_path, [TASK], {"scan-1": [refused]})
    assert go(tmp_path, [replace(TASK, inputs=("mended",))], {"scan-1": ["text"]}).ran == ["scan-1"]
    assert entries(tmp_path)["scan-1"].state == "done"


def test_an_interrupt_counts_against_nobody(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, [TASK], {"scan-1": [KeyboardInterrupt()]})
    entry = entries(tmp_path)["scan-1"]
    assert (entry.state, entry.tries) == ("waiting", 0)


def test_a_task_that_a_killed_run_held_comes_last_and_is_not_blamed(tmp_path: Path) -> None:
    tasks = [TASK, replace(TASK, key="scan-2")]
    with opened(tmp_path) as ledger:
        ledger.enter(tasks)
        ledger.begin(TASK)
    found = entries(tmp_path)["scan-1"]
    assert (found.state, found.tries) == ("waiting", 0)
    assert go(tmp_path, tasks).ran == ["scan-2", "scan-1"]


@pytest.mark.parametrize("outcome", ["worker", "store"])
def test_a_full_disk_stops_the_run_and_blames_no_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    tasks = [TASK, replace(TASK, key="scan-2")]
    script: dict[str, list[Any]] = {"scan-1": ["text"], "scan-2": ["text", "text"]}
    if outcome == "worker":
        script["scan-2"].insert(0, Outcome("", "no_room", reason="No space left on device"))
    else:
        plain = ledger_files.take

        def full(staging: Path, store: Path) -> list[ledger_files.Output]:
            if (staging / "scan-2.txt").exists():
                monkeypatch.setattr(os, "fsync", _no_space)
            return plain(staging, store)

        monkeypatch.setattr(ledger_files, "take", full)
    with pytest.raises(NotWritable, match="free space"):
        go(tmp_path, tasks, script)
    monkeypatch.undo()
    found = entries(tmp_path)
    assert [found[task.key].state for task in tasks] == ["done", "waiting"]
    assert found["scan-2"].tries == 0
    assert go(tmp_path, tasks, script).ran == ["scan-2"]


def _no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("harm", ["missing", "cut", "bit"])
def test_a_damaged_output_is_found_and_made_again(tmp_path: Path, harm: str) -> None:
    tasks = [TASK, replace(TASK, key="scan-2")]
    go(tmp_path, tasks, {"scan-1": ["one"], "scan-2": ["two"]})
    with opened(tmp_path) as ledger:
        stored = ledger.path(TASK.id, "scan-1.txt")
    stored.chmod(0o644)
    if harm == "missing":
        stored.unlink()
    else:
        stored.write_text({"cut": "on", "bit": "onf"}[harm])
    with opened(tmp_path) as ledger:
        manifest = ledger.enter(tasks)
        word = "missing" if harm == "missing" else "damaged"
        assert ledger.mend(manifest) == [f"scan-1: scan-1.txt is {word}"]
    assert go(tmp_path, tasks, {"scan-1": ["one"]}).ran == ["scan-1"]
    assert (tmp_path / "scan-1.txt").read_text() == "one"
    assert [ledger_files.sha256(path) for path in objects(tmp_path)] == [
        path.name for path in objects(tmp_path)
    ]


def test_a_shown_file_that_was_lost_comes_back(tmp_path: Path) -> None:
    go(tmp_path, [TASK])
    (tmp_path / "scan-1.txt").unlink()
    assert go(tmp_path, [TASK]).ran == []
    assert (tmp_path / "scan-1.txt").read_text() == "text"


def test_a_file_that_a_person_changed_is_put_aside_not_lost(tmp_path: Path) -> None:
    go(tmp_path, [TASK])
    (tmp_path / "scan-1.txt").write_text("corrected by hand")
    with opened(tmp_path) as ledger:
        (aside,) = ledger.show()
    assert (tmp_path / aside).read_text() == "corrected by hand"
    assert (tmp_path / "scan-1.txt").read_text() == "text"


def test_a_result_that_stands_for_nothing_any_more_is_not_shown(tmp_path: Path) -> None:
    go(tmp_path, [TASK])
    refused = Outcome("", "refused", reason="truncated")
    go(tmp_path, [replace(TASK, inputs=("broken",))], {"scan-1": [refused]})
    assert not (tmp_path / "scan-1.txt").exists()


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    with (
        opened(tmp_path),
        pytest.raises(NotWritable, match="another run is at work") as told,
        opened(tmp_path),
    ):
        pass
    assert f"process {os.getpid()}" in str(told.value)
    with opened(tmp_path):
        pass


def test_a_damaged_ledger_is_told_and_its_objects_are_kept(tmp_path: Path) -> None:
    go(tmp_path, [TASK])
    for end in ("", "-wal", "-shm"):
        (tmp_path / "run" / f"ledger.sqlite{end}").unlink(missing_ok=True)
    (tmp_path / "run" / "ledger.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(NotReadable, match="ledger is damaged"), opened(tmp_path):
        pass
    assert objects(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritable), opened(tmp_path / "file"):
        pass


def test_input_digests_are_remembered_until_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "scan.nii"
    file.write_bytes(b"one")
    with opened(tmp_path / "out") as ledger:
        first = ledger.digest(file)
        assert first == ledger.digest(file) == ledger_files.sha256(file)
        file.write_bytes(b"two")
        assert ledger.digest(file) == ledger_files.sha256(file) != first
        with pytest.raises(NotReadable):
            ledger.digest(tmp_path / "absent")


def test_equal_bytes_are_stored_once(tmp_path: Path) -> None:
    tasks = [replace(TASK, key=f"scan-{number}") for number in range(5)]
    go(tmp_path, tasks)
    assert len(objects(tmp_path)) == 1


def test_an_executor_that_holds_several_loses_none(tmp_path: Path) -> None:
    tasks = [replace(TASK, key=f"scan-{number}") for number in range(7)]
    executor = Scripted({task.key: ["text"] for task in tasks}, slots=3)
    with opened(tmp_path) as ledger:
        manifest = ledger.enter(tasks)
        drive(ledger, manifest, executor, function="not:used")
        assert {entry.state for entry in ledger.entries(manifest)} == {"done"}


def test_here_drives_too(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        manifest = ledger.enter([TASK])
        drive(ledger, manifest, Here(), function="builtins:len")
        assert ledger.entries(manifest)[0].summary == 2


def test_a_kill_at_any_seventeenth_step_loses_and_repeats_nothing(tmp_path: Path) -> None:
    _kill_at_every(tmp_path, 1, 17)


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_a_kill_at_any_step_loses_and_repeats_nothing(tmp_path: Path, first: int) -> None:
    _kill_at_every(tmp_path, first, 4)


def _kill_at_every(tmp_path: Path, first: int, stride: int) -> None:
    """Kill a run at every ``stride``-th step of its writer; each time the next run must finish it rightly."""
    command = [sys.executable, str(KILLER), str(tmp_path / "runs"), str(first), "100000", str(stride)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert told[-1] == {"step": told[-1]["step"], "killed": False, "code": 0}
    assert sum(one["killed"] for one in told) >= 100 / stride
    reference = _tree(tmp_path / "runs" / f"{told[-1]['step']:04d}")
    for one in told[:-1]:
        folder = tmp_path / "runs" / f"{one['step']:04d}"
        if not (folder / "run" / "ledger.sqlite").exists():
            continue
        finished = _finished(folder)
        log = folder / "executed.log"
        before = log.read_text().split() if log.exists() else []
        ledger_killer.run(folder)
        after = log.read_text().split()
        again = after[len(before) :]
        assert not finished & set(again), f"step {one['step']}: a finished task was done again"
        assert len(after) <= 4, f"step {one['step']}: more was repeated than the task in hand"
        assert _tree(folder) == reference, f"step {one['step']}"
        shutil.rmtree(folder)


def _finished(folder: Path) -> set[str]:
    rows = sqlite3.connect(folder / "run" / "ledger.sqlite")
    try:
        return {str(task) for (task,) in rows.execute("SELECT id FROM tasks WHERE state = 'done'")}
    except sqlite3.OperationalError:
        return set()
    finally:
        rows.close()


def _tree(folder: Path) -> dict[str, str]:
    """What a person sees, and what is stored, by content."""
    kept = [path for path in folder.rglob("*") if path.is_file() and path.suffix in (".csv", ".txt")]
    seen = {path.relative_to(folder).as_posix(): path.read_text() for path in kept}
    return seen | {path.name: "stored" for path in objects(folder)}
