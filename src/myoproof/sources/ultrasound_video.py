"""Ultrasound video (MP4, AVI ...) to grey frames with their times; missing and doubled frames are told."""

import tempfile
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, NotReadable
from myoproof.sources.ultrasound_colour import grey_and_colour
from myoproof.sources.ultrasound_picture import BYTES_LIMIT
from myoproof.sources.ultrasound_types import Grey, Mask, Raw

GAP = 1.6
"""Steps of time longer than this many usual steps hide a missing frame (proposal)."""
MEND = "export the clip again, at the frame rate of the recording"


def load(path: Path) -> Raw:
    """Decode a video.

    Parameters
    ----------
    path : Path
        Any container that OpenCV's decoders read.

    Returns
    -------
    Raw
        Frames, their times where the container tells them, and what is missing.

    Raises
    ------
    NotReadable
        If no frame can be decoded or the frames would not fit into memory.
    """
    frames, times, colour, told, rate = _frames(path)
    if not frames:
        raise NotReadable(
            "no frame of the video can be decoded", where=path.name, mend="export it as MP4 or AVI"
        )
    stack = np.stack(frames)
    seconds = _seconds(np.asarray(times, dtype=np.float64), rate)
    findings = tuple(_faults(stack, seconds, told, path.name))
    settings = {"frame_rate_hz": float(1 / np.median(np.diff(seconds)))} if seconds is not None else {}
    return Raw("video", stack, colour, lossy=True, times_s=seconds, settings=settings, findings=findings)


def load_bytes(data: bytes, *, where: str) -> Raw:
    """Decode a video from memory; OpenCV asks for a file."""
    with tempfile.TemporaryDirectory(prefix="myoproof-") as folder:
        path = Path(folder) / (Path(where).name or "video")
        path.write_bytes(data)
        return load(path)


def _frames(path: Path) -> tuple[list[Grey], list[float], Mask | None, int, float]:
    video = cv2.VideoCapture(str(path))
    try:
        told, rate = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), float(video.get(cv2.CAP_PROP_FPS))
        frames: list[Grey] = []
        times: list[float] = []
        colour: Mask | None = None
        held = 0
        while True:
            fine, picture = video.read()
            if not fine:
                break
            grey, coloured = grey_and_colour(picture, order="bgr")
            held += grey.nbytes
            if held > BYTES_LIMIT:
                mend = "cut the clip into shorter ones"
                raise NotReadable(f"more than {BYTES_LIMIT >> 20} MiB of frames", where=path.name, mend=mend)
            times.append(float(video.get(cv2.CAP_PROP_POS_MSEC)) / 1000)
            frames.append(grey)
            if coloured is not None and len(frames) % 5 == 1:
                colour = coloured if colour is None else colour | coloured
        return frames, times, colour, told, rate
    finally:
        video.release()


def _seconds(times: npt.NDArray[np.float64], rate: float) -> npt.NDArray[np.float64] | None:
    """The container's times from 0; else the stated rate; None where neither is known."""
    if times.size < 2:
        return None
    if np.all(np.isfinite(times)) and np.all(np.diff(times) > 0):
        return np.asarray(times - times[0], dtype=np.float64)
    if np.isfinite(rate) and rate > 0:
        return np.asarray(np.arange(times.size) / rate, dtype=np.float64)
    return None


def _faults(stack: Grey, seconds: npt.NDArray[np.float64] | None, told: int, where: str) -> list[Finding]:
    findings = []
    if len(stack) == 1:
        findings.append(Finding("warning", "one frame", "the video holds one frame only", where))
    if seconds is None and len(stack) > 1:
        message = "the video tells no frame times; nothing can be said per second"
        findings.append(Finding("warning", "no times", message, where))
    missing = 0
    if seconds is not None:
        steps = np.diff(seconds)
        usual = float(np.median(steps))
        missing = int(np.sum(np.round(steps[steps > GAP * usual] / usual) - 1))
    missing = max(missing, told - len(stack))
    if missing > 0:
        message = f"{missing} of {missing + len(stack)} frames are missing"
        findings.append(Finding("warning", "frames dropped", message, where, MEND))
    doubled = sum(bool(np.array_equal(one, next_)) for one, next_ in pairwise(stack))
    if doubled and doubled < len(stack) - 1:
        message = f"{doubled} of {len(stack)} frames repeat the one before: dropped and filled in"
        findings.append(Finding("warning", "frames dropped", message, where, MEND))
    return findings
