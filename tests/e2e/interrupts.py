"""Starting a program so that it hears interrupts."""

import signal
import subprocess
from typing import Any


def _hear() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(command: list[str], **how: Any) -> subprocess.Popen[str]:
    """Start a program; the background of a script ignores interrupts, and its children would, too."""
    return subprocess.Popen(command, text=True, preexec_fn=_hear, **how)  # noqa: PLW1509 - one thread starts it
