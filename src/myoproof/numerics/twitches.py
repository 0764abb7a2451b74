"""Twitches in local motion: displacements that come, peak and go back at one place within half a second."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.numerics.motion_local import LocalMotion
from myoproof.numerics.rhythm import Rhythm, rhythm

Floats = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TwitchParams:
    """What counts as a twitch. Set on simulated cines of the development seeds.

    Parameters
    ----------
    threshold : float
        Least score.
    reach_s : tuple of float
        A twitch stands out from what was this long before and what is this long after.
    noise_px : float
        Prominence that is taken for noise at least.
    patch : float
        Area, in cells, from which a twitch has its full score.
    patch_power : float
        How fast the score falls below that area.
    most : float
        Scores over noise count up to this: a few cells that cannot be followed reach any height.
    margin_cells : int
        Cells at the left and right edge that start no twitch; more where the view moves sideways within half
        a second, since tissue comes and goes there.
    apart_s, apart_cells : float
        Twitches nearer than this in time and place are one.
    one_s : float
        Two movements that peak within this time are one, wherever they are.
    shadow_s, shadow_share : float
        Of two movements nearer in time than this, one with less than this share of the other's score is its
        echo.
    rhythm_share : float
        Correlation from one beat to the next above which a place has a pulse.
    """

    threshold: float = 6.5
    reach_s: tuple[float, ...] = (0.1, 0.17, 0.27)
    noise_px: float = 0.04
    patch: float = 56.0
    patch_power: float = 1.5
    most: float = 25.0
    margin_cells: int = 2
    apart_s: float = 0.25
    apart_cells: float = 12.0
    one_s: float = 0.07
    shadow_s: float = 0.3
    shadow_share: float = 0.5
    rhythm_share: float = 0.3


@dataclass(frozen=True, slots=True)
class Twitch:
    """One movement that stands out.

    Parameters
    ----------
    frame : int
        Of the greatest displacement, from 0.
    start, end : int
        Frames at which half of it was reached and left, widened to its foot.
    row, col : int
        Cell.
    score : float
        How far it stands out; higher is surer.
    unshared : float
        The score before the pulse of its place was taken off.
    displacement_px : float
        Its prominence, in pixels of the matched frames, mean over its cells.
    cells : int
        How many cells move by half of it.
    direction_deg : float
        Way of the displacement, counter-clockwise from the right.
    """

    frame: int
    start: int
    end: int
    row: int
    col: int
    score: float
    unshared: float
    displacement_px: float
    cells: int
    direction_deg: float


@dataclass(frozen=True, slots=True)
class _Maps:
    """For each frame and cell the best score over the reaches, and the prominence, way and reach it has."""

    score: Images
    prominence: Images
    way: Images
    reach: npt.NDArray[np.int64]


def find_twitches(
    motion: LocalMotion,
    inside: Bools,
    rate_hz: float,
    params: TwitchParams = TwitchParams(),
) -> list[Twitch]:
    """Every movement whose score, before the pulse is taken off, reaches the threshold.

    The prominence of a cell at a frame is the smaller of its displacements since ``reach`` before and until
    ``reach`` after, along their common way: a jump that stays has none. The score is prominence over noise
    (of the whole cine, and of that moment in the whole view: a shaking view scores low everywhere), times the
    share of a full patch of cells that moves along, times what the place's pulse does not explain.

    Parameters
    ----------
    motion : LocalMotion
        Local displacements, and the steps of the whole view.
    inside : ndarray of bool, shape (row, col)
        Cells that may start a twitch.
    rate_hz : float
        Frames per second.
    params : TwitchParams
        What counts.

    Returns
    -------
    list of Twitch
        In the order of time. Those that count have ``score >= params.threshold``; a pulse explains the rest.
    """
    path, usable = motion.path, inside.copy()
    margin = params.margin_cells
    usable[:, :margin], usable[:, usable.shape[1] - margin :] = False, False
    if path.shape[0] < 8 or not usable.any():
        return []
    maps = _maps(path, usable, rate_hz, params)
    peaks = _peaks(maps.score * _settled(motion, usable, rate_hz, params), rate_hz, params)
    found = [_described(path, usable, maps, at, rate_hz, params) for at in peaks]
    kept: list[Twitch] = []
    for one in sorted(found, key=lambda twitch: -twitch.score):
        near = [other for other in kept if abs(other.frame - one.frame) <= params.shadow_s * rate_hz]
        echo = any(one.score < params.shadow_share * other.score for other in near)
        if not echo and all(abs(other.frame - one.frame) > params.one_s * rate_hz for other in near):
            kept.append(one)
    return sorted((one for one in kept if one.unshared >= params.threshold), key=lambda one: one.frame)


def prominence(path: Images, reach: int) -> tuple[Images, Images]:
    """Prominence of each cell at each frame, and its way (a unit vector); the first and last frame go on."""
    before, after = path - _moved(path, reach), path - _moved(path, -reach)
    way = before + after
    way = way / np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-6)
    least = np.minimum((before * way).sum(axis=-1), (after * way).sum(axis=-1))
    return np.asarray(np.maximum(least, 0.0), dtype=np.float32), np.asarray(way, dtype=np.float32)


def _moved(values: npt.NDArray[np.float32], frames: int) -> npt.NDArray[np.float32]:
    return values[np.clip(np.arange(values.shape[0]) - frames, 0, values.shape[0] - 1)]


def _maps(path: Images, usable: Bools, rate_hz: float, params: TwitchParams) -> _Maps:
    best: _Maps | None = None
    for reach_s in params.reach_s:
        reach = max(1, round(reach_s * rate_hz))
        height, way = prominence(path, reach)
        always = max(float(np.percentile(height[:, usable], 70.0)), params.noise_px)
        now = np.percentile(height[:, usable], 60.0, axis=1).astype(np.float32)
        now = cv2.blur(now[:, None], (1, 2 * round(0.15 * rate_hz) + 1))[:, 0]
        score = height / np.maximum(always, now)[:, None, None] * usable
        score[:3], score[-3:] = 0.0, 0.0
        new = _Maps(score.astype(np.float32), height, way, np.full(score.shape, reach, dtype=np.int64))
        best = new if best is None else _better(best, new)
    assert best is not None
    return best


def _settled(motion: LocalMotion, usable: Bools, rate_hz: float, params: TwitchParams) -> Bools:
    """Cells, at each frame, that no tissue from beyond the view has reached within a quarter second."""
    path = np.concatenate([[0.0], np.cumsum(motion.whole[..., 0][:, usable].mean(axis=1))])
    near = round(0.25 * rate_hz)
    padded = np.pad(path, near, mode="edge")
    swept = np.ptp(np.lib.stride_tricks.sliding_window_view(padded, 2 * near + 1), axis=1)
    cols = usable.shape[1]
    edge = np.minimum(np.arange(cols), np.arange(cols)[::-1])
    reach = params.margin_cells + np.maximum(swept - 2.0, 0.0) / motion.cell_px
    return np.asarray(edge[None, :] >= reach[:, None])[:, None, :]


def _better(old: _Maps, new: _Maps) -> _Maps:
    more = new.score > old.score
    return _Maps(
        np.where(more, new.score, old.score),
        np.where(more, new.prominence, old.prominence),
        np.where(more[..., None], new.way, old.way),
        np.where(more, new.reach, old.reach),
    )


def _peaks(score: Images, rate_hz: float, params: TwitchParams) -> list[tuple[int, int, int]]:
    """Greatest scores in time and place, each clearing its neighbourhood."""
    left = score.copy()
    rows, cols = np.indices(score.shape[1:])
    found = []
    near, echo = round(params.apart_s * rate_hz), round(0.12 * rate_hz)
    for _ in range(200):
        frame, row, col = (int(i) for i in np.unravel_index(int(np.argmax(left)), left.shape))
        height = float(left[frame, row, col])
        if height < 0.7 * params.threshold:
            break
        found.append((frame, row, col))
        close = np.hypot(rows - row, cols - col) < params.apart_cells
        left[max(0, frame - near) : frame + near + 1, close] = 0.0
        moment = left[max(0, frame - echo) : frame + echo + 1]
        moment[moment < 0.6 * height] = 0.0
    return found


def _described(
    path: Images,
    usable: Bools,
    maps: _Maps,
    at: tuple[int, int, int],
    rate_hz: float,
    params: TwitchParams,
) -> Twitch:
    frame, row, col = at
    reach, way = int(maps.reach[at]), maps.way[at]
    window = path[max(0, frame - reach) : frame + reach + 1]
    height, ways = prominence(window, reach)
    now = min(frame, reach)
    along = height[now] * (ways[now] @ way) > 0.5 * maps.prominence[at]
    _, pieces = cv2.connectedComponents((along & usable).astype(np.uint8))
    patch = pieces == pieces[row, col]
    course = (path[:, patch] @ way).mean(axis=1)
    low = max(0, frame - 4)
    peak = low + int(np.argmax(course[low : frame + 5]))
    rise = _prominence_at(course, peak, reach)
    score = min(float(maps.score[at]), params.most)
    score *= min(1.0, patch.sum() / params.patch) ** params.patch_power
    score *= float(np.clip(2.5 * rise / maps.prominence[at], 0.0, 1.0))
    beat = rhythm(course.astype(np.float64), peak, reach, rate_hz)
    start, end = _foot(course, peak, round(0.5 * rate_hz))
    turned = float(np.degrees(np.arctan2(-way[1], way[0])))
    freed = score * _unexplained(rise, beat, params.rhythm_share)
    return Twitch(peak, start, end, row, col, freed, score, rise, int(patch.sum()), turned)


def _unexplained(rise: float, beat: Rhythm, share: float) -> float:
    """Share of a rise that the usual beat of its place does not have."""
    if beat.correlation <= share:
        return 1.0
    return float(np.clip((rise - max(beat.height, 0.0)) / max(rise, 1e-6), 0.0, 1.0))


def _prominence_at(course: npt.NDArray[np.floating], frame: int, reach: int) -> float:
    before, after = course[max(0, frame - reach)], course[min(course.size - 1, frame + reach)]
    return float(course[frame] - max(before, after))


def _foot(course: Sequence[float] | Images, peak: int, reach: int) -> tuple[int, int]:
    """Where the course has fallen to a tenth of its height on either side, within ``reach`` frames."""
    ends = []
    for step in (-1, 1):
        stop = min(max(peak + step * reach, 0), len(course) - 1)
        side = [float(course[k]) for k in range(peak, stop + step, step)]
        base = min(side)
        level = base + 0.1 * (side[0] - base)
        ends.append(peak + step * next(k for k, value in enumerate(side) if value <= level))
    return ends[0], ends[1]
