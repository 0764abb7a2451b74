"""Simulated thigh images from label maps: anatomy completed, disease and physics drawn at random."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

import bodies
import render

N = render.N
OUT = N // 2
"""The network's patch: 112 pixels of 2 mm, axes lateral and front."""
SA, RF, VL, VI, VM, AM, GR, BL, ST, SM, BB = range(11)
GROUPS = ((RF, VL, VI, VM), (BL, ST, SM, BB), (AM,), (SA, GR))
GROUP_SHIFT = (-0.2, 0.6, 0.5, -0.9)
"""Posterior muscles and adductors are replaced first, sartorius and gracilis last (proposal after LGMD)."""
BEYOND = 0.15
"""Share of upper slices drawn as if above the labels' end: hip, buttock, no label."""


@dataclass(frozen=True)
class Templates:
    """Signed distances of single thighs, and which others each may be mixed with."""

    sdf: np.ndarray
    hull: np.ndarray
    bone: np.ndarray
    subject: np.ndarray
    along: list[np.ndarray]
    across: list[np.ndarray]
    scale: np.ndarray
    rows: list[np.ndarray]
    height: np.ndarray


def load(path: str, *, held: bool, only: tuple[str, ...] | None = None) -> Templates:
    """Templates of the subjects kept for validation, or of the others."""
    data = np.load(path)
    subject = data["subject"]
    mine = np.isin(subject, only) if only is not None else np.ones(subject.size, dtype=bool)
    keep = np.flatnonzero(mine if held else ~mine)
    seen, stack, level = (data[key][keep] for key in ("seen", "stack", "level"))
    subject = subject[keep]
    flat = seen.reshape(keep.size, -1)
    along, across = [], []
    for i in range(keep.size):
        along.append(np.flatnonzero((stack == stack[i]) & (np.abs(level - level[i]) == 1)))
        same = ((flat == flat[i]) & (flat[i] > 0)).sum(axis=1)
        agree = 2 * same / ((flat > 0).sum(axis=1) + (flat[i] > 0).sum())
        agree[subject == subject[i]] = 0
        best = np.argsort(-agree)[:12]
        across.append(best[agree[best] > 0.45])
    area = (data["hull"][keep] < 0).sum(axis=(1, 2)) * render.COARSE_MM**2
    rows = [np.flatnonzero(subject == s) for s in np.unique(subject)]
    return Templates(
        data["sdf"][keep], data["hull"][keep], data["bone"][keep], subject, along, across,
        np.sqrt(area), rows, data["height"][keep],
    )  # fmt: skip


class Bank:
    """Smooth, streaky and spotted noise made once, of which windows are taken."""

    def __init__(self, rng: np.random.Generator, size: int = 640) -> None:
        self.size = size
        self.kinds: dict[str, list[np.ndarray]] = {"coarse": [], "fine": [], "streak": [], "bias": []}
        for kind, sigmas in (("coarse", (6, 9, 13, 18)), ("fine", (1.2, 1.8, 2.6, 4.0)), ("bias", (50, 70))):
            for sigma in sigmas:
                for _ in range(2):
                    self.kinds[kind].append(self._noise(rng, (sigma, sigma)))
        for _ in range(10):
            plain = self._noise(rng, (1.2, rng.uniform(6, 16)))
            turned = ndimage.rotate(plain, rng.uniform(0, 180), reshape=False, order=1, mode="wrap")
            self.kinds["streak"].append(turned)
        for sigma in (2.0, 3.0):
            spots = np.tanh(3 * (self._noise(rng, (sigma, sigma)) - 0.6))
            self.kinds["fine"].append(((spots - spots.mean()) / spots.std()).astype(np.float32))

    def _noise(self, rng: np.random.Generator, sigma: tuple[float, float]) -> np.ndarray:
        field = ndimage.gaussian_filter(rng.standard_normal((self.size, self.size)), sigma, mode="wrap")
        return (field / field.std()).astype(np.float32)

    def take(self, kind: str, rng: np.random.Generator, n: int = N) -> np.ndarray:
        """A window of one kind, turned at random, of about unit SD."""
        field = self.kinds[kind][rng.integers(len(self.kinds[kind]))]
        i, j = rng.integers(0, self.size - n + 1, 2)
        window = field[i : i + n, j : j + n]
        window = window.T if rng.random() < 0.5 else window
        return window[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]


def fat_logits(rng: np.random.Generator) -> np.ndarray:
    """Logit of the typical fat fraction of the eleven muscles, from normal to wholly replaced."""
    kind = rng.random()
    if kind < 0.17:
        return rng.normal(-2.8, 0.5) + rng.normal(0, 0.3, 11)
    if kind < 0.55:
        out = rng.normal(-0.6, 1.1) + rng.normal(0, 0.6, 11)
        pattern = rng.normal(0.8, 0.6)
        for group, shift in zip(GROUPS, GROUP_SHIFT, strict=True):
            out[list(group)] += pattern * shift + rng.normal(0, 0.9)
        return out
    if kind < 0.82:
        return _selective(rng)
    out = rng.normal(1.7, 0.8) + rng.normal(0, 0.7, 11)
    out[[SA, GR]] -= rng.uniform(0, 4)
    if rng.random() < 0.5:
        out[rng.integers(0, 11, 3)] -= rng.uniform(0, 4)
    return out


def _selective(rng: np.random.Generator) -> np.ndarray:
    """Some muscles replaced, their neighbours spared: group by group, with exceptions."""
    replaced, spared = rng.normal(1.6, 0.7), rng.normal(-1.8, 0.8)
    chance = np.full(11, 0.5)
    for group, shift in zip(GROUPS, GROUP_SHIFT, strict=True):
        chance[list(group)] = 1 / (1 + np.exp(-(2.2 * shift * rng.uniform(0, 1.5) + rng.normal(0, 2.0))))
    chance = np.clip(chance, 0.06, 0.94)
    sick = rng.random(11) < chance
    return np.where(sick, replaced + rng.normal(0, 0.6, 11), spared + rng.normal(0, 0.7, 11))


@dataclass(frozen=True)
class Given:
    """What the slices of one simulated leg share: the template, the disease and the scanner's seed."""

    template: int
    logits: np.ndarray
    scan_seed: int
    beyond: bool = False


def sample(rng: np.random.Generator, templates: Templates, bank: Bank, given: Given | None = None) -> tuple:
    """One patch: image (2, 112, 112) normalised, labels (112, 112), fat logits (12,)."""
    own = templates.rows[rng.integers(len(templates.rows))]
    first = given.template if given else int(rng.choice(own))
    height = float(templates.height[first])
    beyond = given.beyond if given else bool(height > 0.75 and rng.random() < BEYOND)
    label, owner, near, next_, hull, place = _anatomy(rng, templates, first)
    if beyond:
        height = 1.08 + abs(rng.normal(0, 0.2))
        label[:], near[:], next_[:] = 0, render.FAR, render.FAR
    elif (label > 0).sum() < 150:
        return sample(rng, templates, bank, given)
    envelope, skin = _outline(rng, label, hull, height, bank)
    logits = given.logits if given else fat_logits(rng)
    bone_d = _bone(rng, templates.bone[first], place, near, bank, beyond=beyond)
    texture = np.stack([bank.take(k, rng) for k in ("coarse", "fine", "streak", "fine")])
    muscle, p = _tissue(rng, logits)
    radius = float(templates.scale[first]) / np.sqrt(np.pi) * (1.1 if beyond else 1.0)
    if beyond or rng.random() < 0.8:
        cells = bodies.drawn(rng, height, radius, logits, templates.bone[first])
    else:
        cells = bodies.scattered(rng, radius, float(logits.mean()))
    fat, water = render.compose(
        label, owner, near, next_, envelope, skin, bone_d, place, texture, muscle, cells, p
    )
    out = np.where(skin < 0, label, 0)
    image = _scan(np.random.default_rng(given.scan_seed) if given else rng, fat, water, skin, bank, height)
    # rows anterior to posterior, columns lateral to medial -> medial to lateral, back to front
    truth = np.ascontiguousarray(_labels_down(out).T[::-1, ::-1])
    image = np.ascontiguousarray(image.transpose(0, 2, 1)[:, ::-1, ::-1])
    return image, truth.astype(np.int64), np.concatenate([[0.0], logits])


def _labels_down(label: np.ndarray) -> np.ndarray:
    """Most frequent of the four fine labels of a pixel; muscle wins over background at two of four."""
    four = np.stack([label[i::2, j::2] for i in (0, 1) for j in (0, 1)])
    four.sort(axis=0)
    return np.where(four[1] == four[2], four[1], np.where(four[2] == four[3], four[3], four[2]))


def _anatomy(rng: np.random.Generator, t: Templates, first: int) -> tuple:
    share, second, scale_b = 0.0, first, 1.0
    kind = rng.random()
    if kind < 0.4 and t.along[first].size:
        second, share = int(rng.choice(t.along[first])), rng.uniform(0, 0.5)
    elif kind < 0.75 and t.across[first].size:
        second = int(rng.choice(t.across[first]))
        share, scale_b = rng.uniform(0, 0.6), float(t.scale[second] / t.scale[first])
    turn, shear = rng.normal(0, 0.22), rng.normal(0, 0.07)
    size = np.exp(rng.normal(0, 0.13))
    aspect = np.exp(rng.normal(0, 0.08))
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = turned @ np.array([[1 / (size * aspect), shear], [0.0, aspect / size]])
    offset = matrix @ rng.normal(0, 6, 2)
    coarse = (rng.standard_normal((2, 7, 7)) * rng.uniform(0.5, 5.0)).astype(np.float32)
    fine = (rng.standard_normal((2, 19, 19)) * rng.uniform(0, 1.3)).astype(np.float32)
    shift = rng.uniform(-0.6, 0.8) + rng.normal(0, 0.5, 11)
    shift = shift + (rng.random(11) < 0.15) * rng.uniform(0, 3.5, 11)
    return render.warp(
        t.sdf[first], t.sdf[second], share, t.hull[first], t.hull[second], matrix, offset,
        scale_b, coarse, fine, shift.astype(np.float32),
    )  # fmt: skip


def _outline(rng, label, hull, height, bank) -> tuple:
    """Distance to the fascia and to the skin (mm, negative inside)."""
    envelope = hull - rng.uniform(-0.5, 4.0) + 1.2 * bank.take("coarse", rng)
    if height > 0.7:
        envelope = envelope - rng.uniform(0, 12) * min(1.0, 3 * (height - 0.7))
    inside = hull < 0
    where = np.argwhere(inside) if inside.any() else np.argwhere(label > 0)
    centre = where.mean(axis=0)
    reach = np.sqrt(len(where) / np.pi)
    y, x = np.indices((N, N), dtype=np.float32)
    for _ in range(rng.poisson(0.9 if height > 0.6 else 0.35)):
        angle = rng.normal(0.6, 0.9) if height > 0.6 and rng.random() < 0.7 else rng.uniform(0, 2 * np.pi)
        far = reach * rng.uniform(0.45, 0.95)
        radius = rng.uniform(18, 45)
        oval = np.exp(rng.normal(0, 0.2))
        d = np.hypot(
            (y - centre[0] - far * np.sin(angle)) * oval, (x - centre[1] - far * np.cos(angle)) / oval
        )
        envelope = np.minimum(envelope, d - radius)
    around = np.arctan2(y - centre[0], x - centre[1])
    thick = np.exp(rng.normal(np.log(9.0), 0.75))
    thick = thick * (1 + rng.uniform(0, 0.7) * np.cos(around - rng.uniform(0, 6.3)))
    thick = np.maximum(thick * (1 + rng.uniform(0, 0.3) * np.cos(2 * around - rng.uniform(0, 6.3))), 1.0)
    envelope = np.where(label > 0, np.minimum(envelope, -0.5), envelope).astype(np.float32)
    return envelope, (envelope - thick + 0.8 * bank.take("coarse", rng)).astype(np.float32)


def _bone(rng, bone, place, near, bank, *, beyond: bool) -> np.ndarray:
    radius, told = abs(float(bone[2])), float(bone[2]) > 0
    if radius <= 0:
        return np.full((N, N), render.FAR, np.float32)
    wide = radius > 15
    if beyond:
        r = rng.uniform(16.0, 27.0)
    else:
        r = radius * rng.uniform(0.8, 1.1) if wide or rng.random() < 0.8 else radius * rng.uniform(0.5, 1.3)
        r = r if wide else np.clip(r, 9.0, 17.0)
    a, e = rng.uniform(0, np.pi), np.exp(rng.normal(0, 0.12))
    off = rng.normal(0, 1.0 if told and not beyond else 4.0, 2)
    dy, dx = place[0] - bone[0] - off[0], place[1] - bone[1] - off[1]
    u, v = dy * np.cos(a) + dx * np.sin(a), -dy * np.sin(a) + dx * np.cos(a)
    d = np.hypot(u * e, v / e) - r + 0.8 * bank.take("coarse", rng)
    return np.maximum(d, 0.6 - near).astype(np.float32)


def _tissue(rng, logits) -> tuple:
    muscle = np.empty((11, 6), np.float32)
    muscle[:, 0] = logits
    amount = rng.uniform(0.2, 1.4)
    for column in (1, 2, 3):
        muscle[:, column] = amount * rng.gamma(1.5, 0.5, 11)
    muscle[:, 4] = rng.normal(0, 0.6) + rng.normal(0, 0.5, 11)
    muscle[:, 5] = np.exp(rng.normal(0, 0.08, 11) + (rng.random(11) < 0.15) * rng.normal(0, 0.25, 11))
    seam = rng.choice([0.0, 0.5, 1.0, 1.8], p=[0.2, 0.35, 0.3, 0.15]) * rng.uniform(0.6, 1.2)
    p = np.array(
        [
            seam, rng.random() < 0.55, rng.choice([0.0, rng.uniform(0.3, 1.0)]), rng.uniform(0.8, 2.4),
            rng.uniform(2.0, 6.5), rng.uniform(0.75, 0.97), rng.uniform(0.9, 0.98), rng.uniform(0.6, 0.96),
            np.exp(rng.normal(0.3, 0.42)), rng.uniform(0.5, 3.5), rng.uniform(0.2, 1.6), rng.random() < 0.5,
            rng.choice([0.0, 1.0], p=[0.4, 0.6]) * rng.uniform(0.2, 2.2),
        ],
        dtype=np.float32,
    )  # fmt: skip
    return muscle, p


def _kernel(sigma: float) -> np.ndarray:
    reach = max(1, int(np.ceil(2.5 * sigma)))
    k = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return (k / k.sum()).astype(np.float32)


def _scan(rng, fat, water, skin, bank, height: float) -> np.ndarray:
    """Blur, shift, coil, leak, swap, noise, contrast."""
    if rng.random() < (0.5 if height < 0.9 else 0.9):
        column = int(np.flatnonzero((skin < 0).any(axis=0)).max()) + 1 + int(rng.integers(-2, 25))
        column = max(column, N // 2 + 30)
        if height > 0.9:  # where the thighs meet, the cut goes through tissue
            column = min(column, N // 2 + int(rng.integers(45, 100)))
        blank = N if rng.random() < 0.4 else column + int(rng.integers(0, 14))
        fat, water = (render.mirror_beyond(image, column, blank) for image in (fat, water))
    sigma = np.exp(rng.uniform(np.log(0.4), np.log(1.5))) * np.exp(rng.normal(0, 0.1, 2))
    ky, kx = _kernel(sigma[0]), _kernel(sigma[1])
    sy, sx = rng.integers(-1, 2, 2) if rng.random() < 0.4 else (0, 0)
    fat = render.smooth_down(fat, ky, kx, sy, sx)
    water = render.smooth_down(water, ky, kx, 0, 0)
    if rng.random() < 0.3:
        fat, water = _thick(rng, fat, water, bank)
    coil = np.exp(rng.uniform(0, 0.5) * bank.take("bias", rng)[::2, ::2])
    fat, water = fat * coil, water * coil
    if rng.random() < 0.3:
        water = water * np.exp(rng.uniform(0, 0.15) * bank.take("bias", rng)[::2, ::2])
    if rng.random() < 0.35:
        fat, water = fat + rng.uniform(0, 0.12) * water, water + rng.uniform(0, 0.12) * fat
    if rng.random() < 0.04:
        swapped = bank.take("bias", rng)[::2, ::2] > rng.uniform(0.3, 1.5)
        fat, water = np.where(swapped, water, fat), np.where(swapped, fat, water)
    if rng.random() < 0.1:
        step, weight = int(rng.integers(15, 60)), rng.uniform(0, 0.08)
        fat, water = fat + weight * np.roll(fat, step, 0), water + weight * np.roll(water, step, 0)
    images = _contrast(rng, fat, water)
    sd = np.exp(rng.uniform(np.log(0.004), np.log(0.07)))
    noise = rng.standard_normal((2, 2, OUT, OUT), dtype=np.float32) * np.float32(sd)
    if rng.random() < 0.5:
        noise = ndimage.uniform_filter(noise, (0, 0, 2, 2)) * 1.6
    out = np.hypot(images[0] + noise[0, 0], noise[1, 0]), np.hypot(images[1] + noise[0, 1], noise[1, 1])
    pair = np.stack(out) if images[0] is not images[1] else np.stack([out[0], out[0]])
    if rng.random() < 0.35:
        pair = pair ** np.exp(rng.normal(0, 0.18))
    return normalise(pair.astype(np.float32))


def _thick(rng, fat, water, bank) -> tuple[np.ndarray, np.ndarray]:
    """A thick slice holds what lies above and below: oblique borders are blurred, more or less."""
    places = np.indices((OUT, OUT), dtype=np.float32)
    drift = np.stack([bank.take(kind, rng)[::2, ::2] for kind in ("bias", "coarse")])
    drift = drift * np.array([rng.uniform(0.3, 1.6), rng.uniform(0, 0.6)])[:, None, None]
    angle = rng.uniform(0, 2 * np.pi)
    move = np.stack([np.cos(angle) * drift[0] + drift[1], np.sin(angle) * drift[0] - drift[1]])
    out = []
    for image in (fat, water):
        ends = [ndimage.map_coordinates(image, places + way * move, order=1) for way in (-1, 1)]
        out.append(0.34 * image + 0.33 * (ends[0] + ends[1]))
    return out[0], out[1]


def _contrast(rng, fat, water) -> tuple[np.ndarray, np.ndarray]:
    """Fat and water, or in a quarter of the samples one contrast twice."""
    kind = rng.random()
    if kind < 0.76:
        return fat, water
    if kind < 0.84:
        one = rng.uniform(0.7, 1.3) * fat + rng.uniform(0.15, 0.8) * water  # T1, T2
    elif kind < 0.88:
        one = rng.uniform(0, 0.25) * fat + water  # fat suppressed
    elif kind < 0.92:
        one = water
    elif kind < 0.96:
        one = fat
    else:
        one = fat + water if rng.random() < 0.6 else np.abs(water - fat)
    return one, one


def normalise(pair: np.ndarray) -> np.ndarray:
    """Both channels over the 98th percentile of the brighter one in tissue, cut at 1.5 (as the runtime)."""
    brighter = pair.max(axis=0)
    tissue = brighter[brighter > 0.1 * brighter.max()]
    return np.clip(pair / (np.percentile(tissue, 98) + 1e-6), 0, 1.5).astype(np.float32)
