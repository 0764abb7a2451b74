"""Segmenters of others: TotalSegmentator and MuscleMap, run where the user has them, named in our words."""

import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from myoproof.core.contracts import Progress, silent
from myoproof.errors import Finding, MissingExtra, MyoproofError, UnknownName
from myoproof.segmentation.drawn import Scheme
from myoproof.vocabulary.lookup import near, words

USUAL_LIMIT_S = 4 * 3600.0
"""Time a tool may take (proposal): without a GPU a large scan takes an hour or more."""
LAST_LINES = 12
"""Of what a failing tool said, this many lines are told."""
LOOK_S = 1.0
"""How often a silent tool is looked at."""
PER_CENT = re.compile(r"(\d{1,3})\s?%")
LINE_END = re.compile(rb"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Tool:
    """A segmenter of others.

    Parameters
    ----------
    name : str
        What it is called here, and the rater of its masks.
    title : str
        What its makers call it.
    executable : str
        Its program.
    scheme : str
        The label scheme of its masks.
    command : callable
        Words after the program from the image and an empty folder that its mask goes to.
    install : str
        How to come by it.
    remarks : tuple of str
        What its user should know: licence, and what it sends.
    """

    name: str
    title: str
    executable: str
    scheme: str
    command: Callable[[Path, Path], list[str]]
    install: str
    remarks: tuple[str, ...]


def _totalsegmentator(image: Path, folder: Path) -> list[str]:
    mask = folder / "mask.nii.gz"
    return ["-i", str(image), "-o", str(mask), "--ml", "--task", "thigh_shoulder_muscles_mr"]


def _musclemap(image: Path, folder: Path) -> list[str]:
    return ["-i", str(image), "-o", str(folder)]


TOOLS: Mapping[str, Tool] = {
    "totalsegmentator": Tool(
        name="totalsegmentator",
        title="TotalSegmentator",
        executable="TotalSegmentator",
        scheme="totalsegmentator_thigh",
        command=_totalsegmentator,
        install="pip install TotalSegmentator (in an environment of its own)",
        remarks=(
            "code Apache-2.0, but the task thigh_shoulder_muscles_mr asks for a licence number: free for"
            " non-commercial use, to be bought otherwise; set it with `totalseg_set_license -l NUMBER`",
            "it loads its weights from the network at first use and sends anonymous usage statistics, unless"
            " send_usage_stats is false in ~/.totalsegmentator/config.json",
            "cite Wasserthal J et al. Radiol Artif Intell 2023;5:e230024",
        ),
    ),
    "musclemap": Tool(
        name="musclemap",
        title="MuscleMap",
        executable="mm_segment",
        scheme="musclemap",
        command=_musclemap,
        install="git clone https://github.com/MuscleMap/MuscleMap and pip install -e . in it (in an"
        " environment of its own)",
        remarks=(
            "code MIT; its weights are loaded from Zenodo at first use, under the terms given there",
            "cite McKay MJ et al. J Imaging 2024;10:262",
        ),
    ),
}
"""Name -> tool. Commands, labels and licences as of TotalSegmentator 2.18.0 (its ``class_map`` and
``commercial_models``) and MuscleMap 1.2 (``mm_segment.py``, its table of anatomical labels)."""


def tool_named(name: str) -> Tool:
    """The tool of a name.

    Raises
    ------
    UnknownName
        If there is none.

    Examples
    --------
    >>> tool_named("musclemap").executable
    'mm_segment'
    """
    if name not in TOOLS:
        raise UnknownName(f"no tool {name!r}", mend=near(name, TOOLS))
    return TOOLS[name]


def run(
    tool: Tool,
    image: Path,
    folder: Path,
    *,
    executable: str = "",
    arguments: Sequence[str] = (),
    limit_s: float = USUAL_LIMIT_S,
    progress: Progress = silent,
) -> Path:
    """Let a tool segment an image.

    Parameters
    ----------
    tool : Tool
        From :func:`tool_named`.
    image : Path
        NIfTI, as the tool reads it.
    folder : Path
        Empty; the tool writes there.
    executable : str
        The program where it is not on the PATH.
    arguments : sequence of str
        Handed on as they are.
    limit_s : float
        Seconds after which the tool and what it started are killed.
    progress : callable
        Told of the tool's own words and per cents.

    Returns
    -------
    Path
        The mask, somewhere in ``folder``.

    Raises
    ------
    MissingExtra
        If the program is not there.
    MyoproofError
        If the tool fails, takes too long, or leaves no mask or several; with its last words.
    """
    program = shutil.which(executable or tool.executable)
    if program is None:
        raise MissingExtra(
            f"{tool.title} is not installed here: no program {executable or tool.executable!r} on the PATH",
            mend=f"{tool.install}, then give its program with --executable; or use `myoproof segment thigh`",
        )
    command = [program, *tool.command(image.absolute(), folder.absolute()), *arguments]
    code, said = _watched(tool, command, limit_s, progress)
    masks = sorted(path for path in folder.rglob("*.nii*") if path.is_file())
    if code != 0:
        raise MyoproofError(f"{tool.title} failed ({_ended(code)}){said}", where=str(image))
    if len(masks) != 1:
        found = f"{len(masks)} masks" if masks else "no mask"
        raise MyoproofError(f"{tool.title} ended well but left {found}{said}", where=str(image))
    return masks[0]


def named(labels: npt.NDArray[np.uint16], scheme: Scheme) -> tuple[dict[int, tuple[str, str]], list[Finding]]:
    """What the labels of a tool's mask of a thigh are.

    Parameters
    ----------
    labels : ndarray, uint16
        The mask.
    scheme : mapping of int to (site, side)
        All labels that the tool is known to give.

    Returns
    -------
    names : dict of int to (site, side)
        The thigh's regions, whether the tool found them or not, and whatever else it found. A label that the
        scheme lacks is called ``unknown_LABEL``.
    findings : list of Finding
        A warning that lists labels that the scheme lacks.

    Examples
    --------
    >>> mask = np.array([1, 5, 77], np.uint16)
    >>> names, findings = named(mask, {1: ("sartorius", "left"), 5: ("deltoid", ""), 6: ("trapezius", "")})
    >>> names
    {1: ('sartorius', 'left'), 5: ('deltoid', ''), 77: ('unknown_77', '')}
    >>> print(findings[0])
    the tool gave labels that its scheme lacks: 77 (1 voxels); another version of it? look what they are
    """
    counts = np.bincount(labels.reshape(-1))
    found = {int(label): int(counts[label]) for label in np.flatnonzero(counts) if label}
    sites = words("sites")
    of_thigh = {
        label for label, (site, _) in scheme.items() if sites.get(site, {"region": ""})["region"] == "thigh"
    }
    names = {label: scheme[label] for label in sorted(scheme) if label in of_thigh or label in found}
    unknown = {label: count for label, count in found.items() if label not in scheme}
    if not unknown:
        return names, []
    listed = ", ".join(f"{label} ({count} voxels)" for label, count in unknown.items())
    finding = Finding(
        "warning",
        "labels",
        f"the tool gave labels that its scheme lacks: {listed}",
        mend="another version of it? look what they are",
    )
    return names | {label: (f"unknown_{label}", "") for label in unknown}, [finding]


def _watched(tool: Tool, command: list[str], limit_s: float, progress: Progress) -> tuple[int, str]:
    """Exit code and last words of a program; it and its children end when time is up or we are stopped."""
    deadline = time.monotonic() + limit_s
    lines: deque[str] = deque(maxlen=LAST_LINES)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        in_time = _listen(process, deadline, lines, lambda: progress(*_told(tool, lines)))
    finally:
        _kill(process)
    said = "".join(f"\n  | {line}" for line in lines)
    if not in_time:
        told = f"took longer than {limit_s / 60:.3g} min and was stopped (--limit allows more)"
        raise MyoproofError(f"{tool.title} {told}{said}", where=command[0])
    return process.returncode, said


def _listen(
    process: subprocess.Popen[bytes], deadline: float, lines: deque[str], tell: Callable[[], None]
) -> bool:
    """Take a program's words until it ends; False where the deadline came first."""
    assert process.stdout is not None
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(min(left, LOOK_S)):
                if process.poll() is not None:
                    return True
                continue
            chunk = os.read(process.stdout.fileno(), 65536)
            *whole, rest = LINE_END.split(rest + chunk) if chunk else (rest, b"")
            for line in filter(None, (part.decode("utf-8", "replace").strip() for part in whole)):
                lines.append(line)
                tell()
            if not chunk:
                return _ends(process, left)
    return False


def _ends(process: subprocess.Popen[bytes], left_s: float) -> bool:
    try:
        process.wait(timeout=left_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a program and of all it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _told(tool: Tool, lines: Sequence[str]) -> tuple[str, float]:
    """The last line, and the last per cent that was said."""
    shares = [min(int(found[1]), 100) / 100 for line in lines if (found := PER_CENT.search(line))]
    return f"{tool.title}: {lines[-1][:80]}", shares[-1] if shares else 0.0


def _ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}, perhaps for want of memory"
