"""A plainer generator of other make: voxel label maps, hull polygons, drawn in one pass."""

from pathlib import Path

import numpy as np
from scipy import ndimage

N = 112
SA, RF, VL, VI, VM, AM, GR, BL, ST, SM, BB = range(1, 12)
HAMSTRINGS = (8, 10, 11)
"""Without one of these a slice is an upper one, of which this generator draws only what is labelled."""
GROUPS = {"quad": [RF, VL, VI, VM], "ham": [BL, ST, SM, BB], "add": [AM], "spared": [SA, GR]}
YY, XX = np.indices((N, N)).astype(np.float32)


def smooth(rng, sigma, n=None):
    """Unit-SD smooth noise made on a coarse grid (fast)."""
    k = max(3, int(np.ceil(N / max(sigma, 1.0))) + 3)
    z = ndimage.zoom(
        rng.standard_normal((k, k)).astype(np.float32), (N + 2 * sigma) / k, order=1 if sigma < 4 else 2
    )
    o = rng.integers(0, max(1, z.shape[0] - N + 1), 2)
    z = z[o[0] : o[0] + N, o[1] : o[1] + N]
    if z.shape != (N, N):
        z = np.pad(z, ((0, N - z.shape[0]), (0, N - z.shape[1])), mode="edge")
    return (z - z.mean()) / (z.std() + 1e-6)


def warp(rng, lab):
    a = rng.normal(0, 0.16)
    sx, sy = np.exp(rng.normal(0, 0.13, 2))
    sh = rng.normal(0, 0.06)
    M = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ np.array([[1 / sx, sh], [0, 1 / sy]])
    c = (N - 1) / 2
    t = rng.normal(0, 4, 2)
    y, x = YY - c - t[0], XX - c - t[1]
    d = [smooth(rng, 14) * rng.uniform(0, 2.5) + smooth(rng, 6) * rng.uniform(0, 0.9) for _ in range(2)]
    p = np.stack([M[0, 0] * y + M[0, 1] * x + c + d[0], M[1, 0] * y + M[1, 1] * x + c + d[1]])
    return ndimage.map_coordinates(lab, p, order=0, mode="constant", cval=0)


def hull_sdf(mask, rng):
    ang = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    nx = np.stack([np.cos(ang), np.sin(ang)], 1).astype(np.float32)
    edge = mask & ~ndimage.binary_erosion(mask)
    h = (nx @ np.stack([YY[edge], XX[edge]])).max(1)
    proj = nx @ np.stack([YY.ravel(), XX.ravel()])
    return proj, h, ang


def texture(rng):
    k = rng.integers(0, 5)
    if k == 0:
        return rng.normal(0, 0.25) * np.ones((N, N), np.float32) + 0.3 * smooth(rng, 5)
    if k == 1:
        return 1.2 * np.tanh(1.8 * smooth(rng, rng.uniform(1.5, 4)))
    if k == 2:
        th = rng.uniform(0, np.pi)
        f = rng.uniform(0.12, 0.35)
        ph = 2 * np.pi * f * (np.cos(th) * YY + np.sin(th) * XX) + 1.5 * smooth(rng, 8)
        return 1.1 * np.sin(ph) + 0.3 * smooth(rng, 3)
    if k == 3:
        th = rng.uniform(0, 2 * np.pi)
        g = (np.cos(th) * (YY - N / 2) + np.sin(th) * (XX - N / 2)) / 12
        return rng.uniform(0.3, 1.5) * g + 0.4 * smooth(rng, 3)
    return 0.6 * smooth(rng, 10) + 0.8 * smooth(rng, 2)


def fat_fractions(rng):
    """Typical fat fraction of labels 1-11."""
    kind = rng.random()
    lo = np.empty(12)
    if kind < 0.2:
        lo[:] = rng.normal(-2.8, 0.4) + rng.normal(0, 0.25, 12)
    elif kind < 0.9:
        base = rng.normal(-0.9, 1.1)
        lo[:] = base + rng.normal(0, 0.5, 12)
        for g, m in GROUPS.items():
            lo[m] += rng.normal({"quad": -0.2, "ham": 0.6, "add": 0.5, "spared": -0.9}[g], 0.9)
        if rng.random() < 0.15:
            lo[VL] += rng.normal(0, 1.5)
    else:
        lo[:] = rng.normal(1.6, 0.8) + rng.normal(0, 0.6, 12)
        lo[[SA, GR]] -= rng.uniform(0, 4)
    return lo


def sample(rng, templates):
    lab = warp(rng, templates[rng.integers(len(templates))])
    if (lab > 0).sum() < 150:
        return sample(rng, templates)
    muscle = lab > 0
    proj, h, ang = hull_sdf(muscle, rng)
    # other muscle beyond the labelled ones pushes the hull out in an arc
    grow = rng.uniform(0.5, 4) + np.zeros_like(h)
    for _ in range(rng.poisson(0.6)):
        a0, wd = rng.uniform(0, 2 * np.pi), rng.uniform(0.35, 1.0)
        grow += rng.uniform(3, 22) * np.exp(-((np.angle(np.exp(1j * (ang - a0))) / wd) ** 2))
    fsdf = (proj - (h + grow)[:, None]).max(0).reshape(N, N) + 0.6 * smooth(rng, 8)
    sat = np.exp(rng.normal(np.log(4.5), 0.75))
    around = sat * (
        1
        + rng.uniform(0, 0.6) * np.cos(ang - rng.uniform(0, 6.3))
        + rng.uniform(0, 0.25) * np.cos(2 * ang - rng.uniform(0, 6.3))
    )
    ssdf = (proj - (h + grow + np.maximum(around, 0.7))[:, None]).max(0).reshape(N, N)
    inside, body = fsdf < 0, ssdf < 0
    if rng.random() < 0.5:  # concave fascia follows the muscles more closely
        close = ndimage.distance_transform_edt(~muscle)
        inside &= close < rng.uniform(2, 12)
    inside |= muscle
    void = inside & ~muscle
    dv = ndimage.distance_transform_edt(void)
    ff = np.full((N, N), 0.93, np.float32)
    rho = np.ones((N, N), np.float32)
    lo = fat_fractions(rng)
    # --- femur
    near = muscle.copy() if not (lab == VI).any() else (lab == VI)
    dn = ndimage.distance_transform_edt(~near)
    score = dv * (dn < dv + 5) * (fsdf < -6)
    femur = np.zeros((N, N), bool)
    if score.max() > 2.5 or rng.random() < 0.5:
        cy, cx = np.unravel_index(int(score.argmax()), (N, N))
        r = float(np.clip(score.max() * rng.uniform(0.8, 1.15), 4.5, 17))
        e = rng.uniform(0.85, 1.15)
        a = rng.uniform(0, np.pi)
        u, v = (YY - cy) * np.cos(a) + (XX - cx) * np.sin(a), -(YY - cy) * np.sin(a) + (XX - cx) * np.cos(a)
        rr = np.hypot(u * e, v / e) + 0.5 * smooth(rng, 6)
        femur = (rr < r) & ~muscle
        cortex = rng.uniform(0.8, 3.2) if r < 10 else rng.uniform(0.3, 1.6)
    # --- voids: other muscles and fat
    k = rng.integers(5, 22)
    seeds = rng.uniform(0, N, (k, 2))
    py, px = YY + 3 * smooth(rng, 8), XX + 3 * smooth(rng, 8)
    cell = np.argmin((py[..., None] - seeds[:, 0]) ** 2 + (px[..., None] - seeds[:, 1]) ** 2, axis=-1)
    pm = rng.choice([0.2, 0.5, 0.8])
    is_m = rng.random(k) < pm
    cell_lo = rng.normal(lo.mean(), 1.0, k)
    other = void & is_m[cell] & (dv > rng.uniform(0.8, 2.5))
    edge = np.zeros((N, N), bool)
    edge[:-1] |= cell[:-1] != cell[1:]
    edge[:, :-1] |= cell[:, :-1] != cell[:, 1:]
    other &= ~edge
    if rng.random() < 0.3:
        other = void & is_m[cell]
    t_all = [texture(rng) for _ in range(3)]
    sel = rng.integers(0, 3, 12)
    same = rng.random() < 0.25
    logit = np.zeros((N, N), np.float32)
    for m in range(1, 12):
        w = lab == m
        if w.any():
            logit[w] = lo[m] + (t_all[0] if same else t_all[sel[m]])[w] * rng.uniform(0.3, 1.2)
    logit[other] = (cell_lo[cell] + 0.5 * t_all[1])[other]
    m_all = muscle | other
    ff[m_all] = 1 / (1 + np.exp(-logit[m_all]))
    if rng.random() < 0.3:  # thin fatty rim inside muscles
        di = ndimage.distance_transform_edt(
            muscle & (ndimage.minimum_filter(lab, 3) == ndimage.maximum_filter(lab, 3))
        )
        rim = muscle & (di < rng.uniform(0.5, 2.5))
        ff[rim] = np.maximum(ff[rim], rng.uniform(0.2, 0.8))
    # --- seams between touching labels
    b = np.zeros((N, N), bool)
    b[:-1] |= lab[:-1] != lab[1:]
    b[:, :-1] |= lab[:, :-1] != lab[:, 1:]
    b &= inside
    seam = rng.random()
    vis = smooth(rng, 6) > rng.uniform(-2.5, 1.0)
    if seam < 0.45:
        rho[b & vis] *= rng.uniform(0.3, 1)
    elif seam < 0.9:
        ff[b & vis] = np.maximum(ff[b & vis], rng.uniform(0.15, 0.95))
    if rng.random() < 0.5:
        f = np.abs(fsdf) < rng.uniform(0.4, 0.8)
        rho[f] *= rng.uniform(0.3, 0.9)
    ff[body & ~inside] = rng.uniform(0.85, 0.98)
    if rng.random() < 0.4:  # strands in subcutaneous fat
        st = (np.abs(smooth(rng, 5)) < rng.uniform(0.02, 0.1)) & body & ~inside
        ff[st] *= rng.uniform(0.3, 0.8)
    im = void & ~other
    ff[im] = np.clip(rng.uniform(0.6, 0.97) + 0.05 * smooth(rng, 3)[im], 0, 1)
    if femur.any():
        ff[femur] = rng.uniform(0.75, 0.97)
        ring = femur & (rr > r - cortex)
        rho[ring] = rng.uniform(0.02, 0.2)
        ff[ring] = 0.3
    for _ in range(rng.integers(0, 5)):  # vessels and nerves
        w = np.flatnonzero((void & ~femur).ravel())
        if not w.size:
            break
        q = w[rng.integers(w.size)]
        d2 = np.hypot(YY - q // N, XX - q % N) < rng.uniform(0.7, 2.8)
        d2 &= ~muscle & ~femur
        ff[d2] = rng.uniform(0, 0.4)
        rho[d2] = rng.uniform(0.1, 1.6)
    skin = body & (ssdf > -rng.uniform(0.5, 1.3))
    ff[skin] = rng.uniform(0.05, 0.6)
    rho[skin] *= rng.uniform(0.3, 0.9)
    rho[~body] = 0
    if rng.random() < 0.25:  # a part of the other thigh
        off = int(rng.integers(N * 5 // 8, N))
        s = rng.choice([-1, 1])
        o_rho, o_ff = np.roll(rho[::-1], s * off, 0), np.roll(ff[::-1], s * off, 0)
        if s > 0:
            o_rho[:off] = 0
        else:
            o_rho[N - off :] = 0
        put = (o_rho > 0) & (rho == 0)
        rho[put], ff[put] = o_rho[put], o_ff[put]
    return render(rng, ff, rho), lab.astype(np.int64), lo


def render(rng, ff, rho):
    psf = rng.uniform(0, 0.75)
    gf = np.exp(rng.normal(0.15, 0.3))
    if rng.random() < 0.35:  # oedema, T2-like variation of water
        rho = rho * np.exp(0.15 * smooth(rng, 5))
    F, W = rho * ff * gf, rho * (1 - ff)
    if rng.random() < 0.5:
        F = ndimage.shift(F, rng.normal(0, 0.5, 2), order=1)
    if psf > 0.2:
        F, W = ndimage.gaussian_filter(F, psf), ndimage.gaussian_filter(W, psf)
    if rng.random() < 0.25:  # lower resolution
        k = rng.uniform(0.5, 0.9)
        F, W = [ndimage.zoom(ndimage.zoom(x, k, order=1), N / round(N * k), order=1)[:N, :N] for x in (F, W)]
        F, W = [np.pad(x, ((0, N - x.shape[0]), (0, N - x.shape[1]))) for x in (F, W)]
    coil = np.exp(rng.uniform(0, 0.45) * smooth(rng, 40))
    F, W = F * coil, W * coil
    if rng.random() < 0.2:
        leak = rng.uniform(0, 0.12)
        F, W = F + leak * W, W + rng.uniform(0, 0.12) * F
    sd = np.exp(rng.uniform(np.log(0.006), np.log(0.08)))

    def n(x):
        return np.hypot(x + sd * rng.standard_normal((N, N)), sd * rng.standard_normal((N, N)))

    if rng.random() < 0.6:
        if rng.random() < 0.25:
            c = rng.random()
            if c < 0.35:
                one = rng.uniform(0.7, 1.2) * F + rng.uniform(0.15, 0.8) * W  # T1, T2
            elif c < 0.55:
                one = rng.uniform(0, 0.25) * F + W  # fat suppressed
            elif c < 0.7:
                one = W
            elif c < 0.85:
                one = F
            elif c < 0.93:
                one = F + W
            else:
                one = np.abs(W - F)
            one = n(one)
            x = np.stack([one, one])
            g = np.exp(rng.normal(0, 0.2))
            x = x**g
        else:
            x = np.stack([n(F), n(W)])
    else:
        x = np.stack([n(F), n(W)])
        if rng.random() < 0.3:
            x = x ** np.exp(rng.normal(0, 0.15))
    return normalise(x.astype(np.float32))


def normalise(x):
    """Both channels over one scale: the 98th percentile of the larger one within the body."""
    s = x.max(0)
    t = s[s > 0.1 * s.max()]
    return np.clip(x / (np.percentile(t, 98) + 1e-6), 0, 1.5).astype(np.float32)


def load(path: Path, subjects, *, held):
    """Label maps (n, 112, 112) of the held-out subjects, or of the others, but for upper slices."""
    data = np.load(path)
    own = np.array([str(pid).removeprefix("THIGH_").split("_")[0] for pid in data["pid"]])
    kept = np.isin(own, subjects)
    maps = data["t"][kept if held else ~kept]
    return maps[np.isin(maps, HAMSTRINGS).any(axis=(1, 2))]
