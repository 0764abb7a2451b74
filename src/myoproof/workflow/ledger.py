"""The run ledger: which tasks were run, how they ended and what they gave; it outlives any process."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from myoproof.core.atomic import atomic_path
from myoproof.core.provenance import digest_bytes
from myoproof.errors import Finding, NotReadable, NotWritable, refuse
from myoproof.workflow import ledger_files
from myoproof.workflow.ledger_files import Output
from myoproof.workflow.ledger_tasks import Entry, State, Task

__all__ = ["Entry", "Ledger", "Task", "opened"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, content TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
    tries INTEGER NOT NULL DEFAULT 0, lost INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '', summary TEXT NOT NULL DEFAULT 'null');
CREATE TABLE IF NOT EXISTS manifests (
    digest TEXT NOT NULL, place INTEGER NOT NULL, task TEXT NOT NULL REFERENCES tasks (id),
    PRIMARY KEY (digest, place));
CREATE TABLE IF NOT EXISTS standing (key TEXT PRIMARY KEY, task TEXT NOT NULL REFERENCES tasks (id));
CREATE TABLE IF NOT EXISTS outputs (
    task TEXT NOT NULL REFERENCES tasks (id), name TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (task, name));
CREATE TABLE IF NOT EXISTS shown (name TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (name, digest));
CREATE TABLE IF NOT EXISTS attempts (
    task TEXT NOT NULL REFERENCES tasks (id), started REAL NOT NULL, ended REAL, outcome TEXT NOT NULL
    DEFAULT 'running', reason TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL);
"""
"""``standing``: the task that stands for a key, that of the latest manifest. ``shown``: every digest that was
published under a name. ``files``: digests of inputs, as long as size, times and inode stay."""
COLUMNS = "tasks.id, tasks.content, tasks.state, tasks.tries, tasks.reason, tasks.detail, tasks.summary"


class Ledger:
    """A folder's ledger: SQLite in write-ahead mode, outputs kept by content; opened by :func:`opened`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = folder / "run"
        self.objects = self.place / "objects"
        self._staging = self.place / "staging"
        self._rows = sqlite3.connect(self.place / "ledger.sqlite", isolation_level=None)

    def close(self) -> None:
        """Close the database."""
        self._rows.close()

    def prepare(self) -> None:
        """Make the tables; what a killed run left half done is cleared, what it finished stays."""
        self._rows.execute("PRAGMA journal_mode = WAL")
        self._rows.execute("PRAGMA synchronous = FULL")
        self._rows.executescript(SCHEMA)
        with self._transaction():
            self._rows.execute("UPDATE attempts SET outcome = 'lost' WHERE outcome = 'running'")
            self._rows.execute("UPDATE tasks SET state = 'waiting', lost = lost + 1 WHERE state = 'running'")
        shutil.rmtree(self._staging, ignore_errors=True)
        used = {str(digest) for (digest,) in self._rows.execute("SELECT DISTINCT digest FROM outputs")}
        ledger_files.sweep(self.objects, used)
        for unfinished in (self.place / "manifests").glob(".*"):
            unfinished.unlink(missing_ok=True)

    def enter(self, tasks: Sequence[Task]) -> str:
        """Enter a manifest: what is to be done, in order. It never changes; its name is its hash.

        Returns
        -------
        str
            The manifest's digest.

        Raises
        ------
        InvalidInput
            If two tasks have one key.
        NotWritable
            If the manifest cannot be written.
        """
        keys = [task.key for task in tasks]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        refuse([Finding("error", "key", f"{key} occurs twice in the manifest") for key in twice])
        records = [{"id": task.id, **task.record} for task in tasks]
        text = json.dumps(records, indent=1, sort_keys=True, default=str) + "\n"
        digest = digest_bytes(text.encode())
        file = self.place / "manifests" / f"{digest}.json"
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            with atomic_path(file) as temporary:
                temporary.write_text(text, encoding="utf-8")
        with self._transaction():
            for place, task in enumerate(tasks):
                content = json.dumps(task.record, sort_keys=True, default=str)
                self._rows.execute(
                    "INSERT INTO tasks (id, key, content) VALUES (?, ?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET content = excluded.content",
                    (task.id, task.key, content),
                )
                self._rows.execute(
                    "INSERT OR IGNORE INTO manifests VALUES (?, ?, ?)", (digest, place, task.id)
                )
                self._rows.execute("INSERT OR REPLACE INTO standing VALUES (?, ?)", (task.key, task.id))
        return digest

    def entries(self, manifest: str = "") -> list[Entry]:
        """Tasks of a manifest in its order; without one, those that stand for their keys, by key."""
        if manifest:
            join, order = "JOIN manifests ON manifests.task = tasks.id WHERE digest = ?", "place"
        else:
            join, order = "JOIN standing ON standing.task = tasks.id WHERE ? = ''", "tasks.key"
        rows = self._rows.execute(f"SELECT {COLUMNS} FROM tasks {join} ORDER BY {order}", (manifest,))
        return [
            Entry(Task.of(json.loads(content)), state, tries, reason, detail, json.loads(summary))
            for _, content, state, tries, reason, detail, summary in rows
        ]

    def waiting(self, manifest: str) -> list[Task]:
        """What is still to do, tasks first that no killed run ever held: a scan that kills runs waits."""
        rows = self._rows.execute(
            "SELECT content FROM tasks JOIN manifests ON manifests.task = tasks.id "
            "WHERE digest = ? AND state = 'waiting' ORDER BY tries + lost, place",
            (manifest,),
        )
        return [Task.of(json.loads(content)) for (content,) in rows]

    def mend(self, manifest: str) -> list[str]:
        """Put finished tasks back whose published files are missing or damaged; say which and why."""
        found = []
        for entry in self.entries(manifest):
            if entry.state != "done":
                continue
            faults = [ledger_files.damage(self.objects, output) for output in self.outputs(entry.task.id)]
            faults = [fault for fault in faults if fault]
            if faults:
                found.append(f"{entry.task.key}: {'; '.join(faults)}")
                with self._transaction():
                    self._rows.execute("DELETE FROM outputs WHERE task = ?", (entry.task.id,))
                    self._rows.execute("UPDATE tasks SET state = 'waiting' WHERE id = ?", (entry.task.id,))
        return found

    def forgive(self, manifest: str) -> None:
        """Let the quarantined tasks of a manifest try again."""
        self._rows.execute(
            "UPDATE tasks SET state = 'waiting', tries = 0 WHERE state = 'quarantined' "
            "AND id IN (SELECT task FROM manifests WHERE digest = ?)",
            (manifest,),
        )

    def begin(self, task: Task) -> Path:
        """Note an attempt and give it an empty folder of its own.

        Raises
        ------
        NotWritable
            If the folder cannot be made.
        """
        with self._transaction():
            self._rows.execute("UPDATE tasks SET state = 'running' WHERE id = ?", (task.id,))
            number = self._rows.execute(
                "INSERT INTO attempts (task, started) VALUES (?, ?)", (task.id, time.time())
            ).lastrowid
        staging = self._staging / f"{task.id}-{number}"
        try:
            staging.mkdir(parents=True)
        except OSError as error:
            raise NotWritable(f"cannot be made ({error.strerror})", where=str(staging)) from error
        return staging

    def publish(self, task: Task, staging: Path, summary: Any = None) -> None:
        """Publish what an attempt wrote, once: files into the store, then one row makes them count.

        Raises
        ------
        NotWritable
            If the store cannot be written; nothing is published then.
        """
        outputs = ledger_files.take(staging, self.objects)
        with self._transaction():
            self._rows.execute("DELETE FROM outputs WHERE task = ?", (task.id,))
            for output in outputs:
                row = (task.id, output.name, output.digest, output.size)
                self._rows.execute("INSERT INTO outputs VALUES (?, ?, ?, ?)", row)
                self._rows.execute("INSERT OR IGNORE INTO shown VALUES (?, ?)", (output.name, output.digest))
            self._rows.execute(
                "UPDATE tasks SET state = 'done', reason = '', detail = '', summary = ? WHERE id = ?",
                (json.dumps(summary), task.id),
            )
            self._end_attempt(task, "done")
        shutil.rmtree(staging, ignore_errors=True)

    def fail(self, task: Task, outcome: str, reason: str, detail: str = "", *, tries: int = 1) -> State:
        """Note a failed attempt; at the last of ``tries`` the task is quarantined with its reason.

        Returns
        -------
        str
            ``quarantined``, or ``waiting`` for another try.
        """
        with self._transaction():
            query = "SELECT tries FROM tasks WHERE id = ?"
            (before,) = self._rows.execute(query, (task.id,)).fetchone()
            state: State = "quarantined" if before + 1 >= tries else "waiting"
            self._rows.execute(
                "UPDATE tasks SET state = ?, tries = ?, reason = ?, detail = ? WHERE id = ?",
                (state, before + 1, reason, detail, task.id),
            )
            self._end_attempt(task, outcome, reason)
        return state

    def release(self, task: Task) -> None:
        """Give a task back that was stopped by no doing of its own."""
        with self._transaction():
            self._rows.execute("UPDATE tasks SET state = 'waiting' WHERE id = ?", (task.id,))
            self._end_attempt(task, "released")

    def outputs(self, task_id: str) -> list[Output]:
        """Published files of a task, by name."""
        query = "SELECT name, digest, size FROM outputs WHERE task = ? ORDER BY name"
        return [Output(*row) for row in self._rows.execute(query, (task_id,))]

    def summary(self, task_id: str) -> Any:
        """What a finished task returned; None of others."""
        found = self._rows.execute("SELECT summary FROM tasks WHERE id = ?", (task_id,)).fetchone()
        return json.loads(found[0]) if found else None

    def ids(self) -> set[str]:
        """Ids of all tasks that were ever entered."""
        return {str(task) for (task,) in self._rows.execute("SELECT id FROM tasks")}

    def shown(self) -> set[Path]:
        """Where copies of published files were put at any time."""
        names = self._rows.execute("SELECT DISTINCT name FROM shown")
        return {(self.folder / name).absolute() for (name,) in names}

    def path(self, task_id: str, name: str) -> Path:
        """Where the store keeps a task's output."""
        found = {output.name: output for output in self.outputs(task_id)}
        return ledger_files.object_path(self.objects, found[name].digest)

    def show(self) -> list[str]:
        """Copies of all published files to where people look; those that stand for nothing are removed.

        Files that bear their task's id in the name are history and stay.

        Returns
        -------
        list of str
            Files changed by hand that were put aside.
        """
        known: dict[str, set[str]] = {}
        for name, digest in self._rows.execute("SELECT name, digest FROM shown"):
            known.setdefault(name, set()).add(digest)
        aside, current = [], set()
        for entry in self.entries():
            for output in self.outputs(entry.task.id) if entry.state == "done" else []:
                current.add(output.name)
                moved = ledger_files.show(self.folder, self.place, output, known[output.name])
                aside += [moved] if moved else []
        ids = self.ids()
        for name in sorted(set(known) - current):
            if not any(task in name for task in ids):
                ledger_files.hide(self.folder, name, known[name])
        return aside

    def digest(self, path: Path) -> str:
        """SHA-256 of an input file, remembered while its size, times and inode stay.

        Raises
        ------
        NotReadable
            If the file cannot be read.
        """
        try:
            stat = path.stat()
            stamp = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"
            query = "SELECT digest FROM files WHERE path = ? AND stamp = ?"
            known = self._rows.execute(query, (str(path.absolute()), stamp)).fetchone()
            if known:
                return str(known[0])
            digest = ledger_files.sha256(path)
        except OSError as error:
            raise NotReadable(f"cannot be read ({error.strerror})", where=str(path)) from error
        self._rows.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (str(path.absolute()), stamp, digest)
        )
        return digest

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._rows.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._rows.execute("ROLLBACK")
            raise
        self._rows.execute("COMMIT")

    def _end_attempt(self, task: Task, outcome: str, reason: str = "") -> None:
        self._rows.execute(
            "UPDATE attempts SET ended = ?, outcome = ?, reason = ? WHERE task = ? AND outcome = 'running'",
            (time.time(), outcome, reason, task.id),
        )


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    """Open the ledger of an output folder for one run at a time.

    Parameters
    ----------
    folder : Path
        The output folder; its ledger lies in ``run/``.

    Raises
    ------
    NotWritable
        If another run is at work on the folder, or it cannot be written.
    NotReadable
        If the ledger is damaged.

    Examples
    --------
    >>> import tempfile
    >>> with opened(Path(tempfile.mkdtemp())) as ledger:
    ...     manifest = ledger.enter([Task("scan-1", "count@1", {}, ("a1",))])
    ...     [entry.state for entry in ledger.entries(manifest)]
    ['waiting']
    """
    folder = Path(folder)
    with ledger_files.locked(folder / "run" / "lock"):
        try:
            ledger = Ledger(folder)
            try:
                ledger.prepare()
                yield ledger
            finally:
                ledger.close()
        except sqlite3.OperationalError as error:
            mend = "free space and run again: what is finished is kept"
            raise NotWritable(
                f"the ledger cannot be written ({error})", where=str(folder), mend=mend
            ) from error
        except sqlite3.DatabaseError as error:
            mend = "move the folder run/ aside; the tasks are then done again"
            raise NotReadable(f"the ledger is damaged ({error})", where=str(folder), mend=mend) from error
