"""Compiled pieces of the generator: warped label maps, tissue composition, Voronoi cells between labels."""

import numba
import numpy as np

N = 224
"""Fine grid: 1 mm, half the network's pixel."""
FINE_MM = 1.0
COARSE = 128
COARSE_MM = 1.6
FAR = 1e3


@numba.njit(cache=True, fastmath=True, inline="always")
def _bilinear(field, row, column):
    n = field.shape[0]
    r = min(max(row, 0.0), n - 1.001)
    c = min(max(column, 0.0), n - 1.001)
    i, j = int(r), int(c)
    u, v = r - i, c - j
    top = field[i, j] * (1 - v) + field[i, j + 1] * v
    low = field[i + 1, j] * (1 - v) + field[i + 1, j + 1] * v
    return top * (1 - u) + low * u


@numba.njit(cache=True, fastmath=True)
def warp(first, second, share, hull_a, hull_b, matrix, offset, scale_b, coarse, fine, shift):
    """Labels and distances on the fine grid.

    ``first``, ``second``: (11, 128, 128) int8 signed distances (0.25 mm) mixed with weight ``share`` of the
    second; ``coarse``, ``fine``: (2, n, n) displacements in mm; ``shift``: mm by which each muscle shrinks.
    Returns label, nearest muscle, its distance, second nearest distance, hull distance and the sampled
    position (mm).
    """
    label = np.zeros((N, N), np.uint8)
    owner = np.zeros((N, N), np.uint8)
    near = np.full((N, N), np.float32(FAR), np.float32)
    next_ = np.full((N, N), np.float32(FAR), np.float32)
    hull = np.empty((N, N), np.float32)
    place = np.empty((2, N, N), np.float32)
    middle = (COARSE - 1) / 2.0
    nc, nf = coarse.shape[1] - 1, fine.shape[1] - 1
    present = np.zeros(11, np.bool_)
    for m in range(11):
        present[m] = first[m].min() < 0 or second[m].min() < 0
    for i in range(N):
        y0 = (i - (N - 1) / 2.0) * FINE_MM
        for j in range(N):
            x0 = (j - (N - 1) / 2.0) * FINE_MM
            a, b = i * nc / (N - 1.0), j * nc / (N - 1.0)
            c, d = i * nf / (N - 1.0), j * nf / (N - 1.0)
            y1 = y0 + _bilinear(coarse[0], a, b) + _bilinear(fine[0], c, d)
            x1 = x0 + _bilinear(coarse[1], a, b) + _bilinear(fine[1], c, d)
            y = matrix[0, 0] * y1 + matrix[0, 1] * x1 + offset[0]
            x = matrix[1, 0] * y1 + matrix[1, 1] * x1 + offset[1]
            place[0, i, j], place[1, i, j] = y, x
            ra, ca = y / COARSE_MM + middle, x / COARSE_MM + middle
            rb, cb = y * scale_b / COARSE_MM + middle, x * scale_b / COARSE_MM + middle
            far = 0.0
            over = max(abs(y), abs(x)) - COARSE_MM * middle
            if over > 0:
                far = over
            h = _bilinear(hull_a, ra, ca) * (1 - share) + _bilinear(hull_b, rb, cb) * share
            hull[i, j] = h * 0.5 + far
            if h * 0.5 > 6.0:
                continue
            best, nearest, then = 0, FAR, FAR
            for m in range(11):
                if not present[m]:
                    continue
                v = _bilinear(first[m], ra, ca)
                if share > 0:
                    v = v * (1 - share) + _bilinear(second[m], rb, cb) * share
                v = v * 0.25 + shift[m] + far
                if v < nearest:
                    then, nearest, best = nearest, v, m + 1
                elif v < then:
                    then = v
            near[i, j], next_[i, j] = nearest, then
            owner[i, j] = best
            if nearest < 0:
                label[i, j] = best
    return label, owner, near, next_, hull, place


@numba.njit(cache=True, fastmath=True)
def compose(label, owner, near, next_, envelope, skin, bone_d, place, texture, muscle, cells, p):
    """Fat and water of every fine voxel, before coil, blur and noise.

    ``muscle``: (11, 6) = logit, weight of coarse, fine, streak texture, rim slope, brightness; ``cells``:
    bodies of :mod:`bodies` (a point belongs to the body whose ellipse it is deepest in); ``texture``:
    (4, N, N); ``p``: [septum mm, septum kind, rim mm, skin mm, cortex mm, marrow ff, adipose ff, between ff,
    fat gain, body gap mm, body septum mm, adipose texture, mm that tissue reaches beyond its label].
    """
    fat = np.zeros((N, N), np.float32)
    water = np.zeros((N, N), np.float32)
    void_mm = max(p[9], p[12] + 0.4)
    for i in range(N):
        for j in range(N):
            if skin[i, j] > 0:
                continue
            t0, t1, t2, t3 = texture[0, i, j], texture[1, i, j], texture[2, i, j], texture[3, i, j]
            ff, total = 0.0, 0.0
            if skin[i, j] > -p[3]:
                ff, total = 0.25, 0.5
            elif label[i, j] > 0:
                m = label[i, j] - 1
                edge = min(-near[i, j], (next_[i, j] - near[i, j]) * 0.5)
                if edge < p[0]:
                    if p[1] < 1:
                        ff, total = 0.3, 0.45
                    else:
                        ff, total = p[7], 0.9
                else:
                    deep = min(-near[i, j], 8.0) / 8.0 - 0.5
                    z = muscle[m, 0] + muscle[m, 1] * t0 + muscle[m, 2] * t1 + muscle[m, 3] * t2
                    z -= muscle[m, 4] * deep
                    ff = 1.0 / (1.0 + np.exp(-z))
                    ff = min(ff, p[6])
                    total = muscle[m, 5]
            elif bone_d[i, j] < 0:
                if bone_d[i, j] > -p[4]:
                    ff, total = 0.4, 0.12
                else:
                    ff, total = p[5], 0.95
            elif envelope[i, j] < 0:
                ff, total = p[7] + 0.03 * t3, 0.95
                if near[i, j] < p[12]:
                    m = owner[i, j] - 1
                    if (next_[i, j] - near[i, j]) * 0.5 > 0.6 * p[0] and near[i, j] < p[12] - 0.4 * p[0]:
                        z = muscle[m, 0] + muscle[m, 1] * t0 + muscle[m, 2] * t1 + muscle[m, 3] * t2
                        z += 0.5 * muscle[m, 4]
                        ff = min(1.0 / (1.0 + np.exp(-z)), p[6])
                        total = muscle[m, 5]
                    elif p[1] < 1:
                        ff, total = 0.3, 0.5
                elif near[i, j] < p[12] + p[2]:
                    ff, total = 0.45, 0.55
                elif envelope[i, j] > -0.9:
                    ff, total = 0.5, 0.5
                elif near[i, j] > void_mm and bone_d[i, j] > 1.0 and envelope[i, j] < -p[9] - 0.5:
                    y, x = place[0, i, j] + 2.0 * t0, place[1, i, j] + 2.0 * t1
                    d1, d2, best = 1e9, 1e9, -1
                    for c in range(cells.shape[0]):
                        dy, dx = y - cells[c, 0], x - cells[c, 1]
                        u = cells[c, 2] * dy + cells[c, 3] * dx
                        v = cells[c, 4] * dy + cells[c, 5] * dx
                        d = (u * u + v * v) ** 0.5
                        if d >= 1.0 and d >= d2:
                            continue
                        if d < d1:
                            d2, d1, best = d1, d, c
                        elif d < d2:
                            d2 = d
                    if best >= 0 and d1 < 1.0:
                        size = cells[best, 9]
                        deep_mm = min(1.0 - d1, (d2 - d1) * 0.5) * size
                        if cells[best, 6] == 3.0:
                            ff, total = p[5], 0.95
                            if (1.0 - d1) * size < 0.6 * p[4]:
                                ff, total = 0.4, 0.12
                        elif cells[best, 6] == 2.0:
                            ff, total = 0.05, cells[best, 8]
                        elif deep_mm > p[10]:
                            z = cells[best, 7] + 0.7 * t0 + 0.6 * t1 + 0.5 * t2
                            ff = min(1.0 / (1.0 + np.exp(-z)), p[6])
                            total = cells[best, 8]
                        elif p[1] < 1:
                            ff, total = 0.35, 0.5
            else:
                ff, total = p[6], 1.0
                if t2 * p[11] > 1.6:
                    ff, total = 0.6, 0.7
            total *= 1.0 + 0.04 * t3
            fat[i, j] = total * ff * p[8]
            water[i, j] = total * (1.0 - ff)
    return fat, water


@numba.njit(cache=True, fastmath=True)
def smooth_down(image, kernel_y, kernel_x, shift_y, shift_x):
    """Blur by two kernels, shift by part of a voxel through the kernels' window, take every second voxel."""
    n = image.shape[0]
    half = n // 2
    ky, kx = kernel_y.size // 2, kernel_x.size // 2
    rows = np.zeros((half, n), np.float32)
    for i in range(half):
        for k in range(-ky, ky + 2):
            r = 2 * i + k + shift_y
            if 0 <= r < n:
                w = 0.0
                if -ky <= k <= ky:
                    w += 0.5 * kernel_y[k + ky]
                if -ky <= k - 1 <= ky:
                    w += 0.5 * kernel_y[k - 1 + ky]
                for j in range(n):
                    rows[i, j] += w * image[r, j]
    out = np.zeros((half, half), np.float32)
    for i in range(half):
        for j in range(half):
            total = 0.0
            for k in range(-kx, kx + 2):
                c = 2 * j + k + shift_x
                if 0 <= c < n:
                    w = 0.0
                    if -kx <= k <= kx:
                        w += 0.5 * kernel_x[k + kx]
                    if -kx <= k - 1 <= kx:
                        w += 0.5 * kernel_x[k - 1 + kx]
                    total += w * rows[i, c]
            out[i, j] = total
    return out


@numba.njit(cache=True, fastmath=True)
def mirror_beyond(image, column, blank):
    """The other thigh: beyond ``column`` the image mirrored; from ``blank`` on nothing."""
    n = image.shape[1]
    out = image.copy()
    for j in range(column, n):
        source = 2 * column - 1 - j
        for i in range(image.shape[0]):
            out[i, j] = image[i, source] if (source >= 0 and j < blank) else 0.0
    return out
