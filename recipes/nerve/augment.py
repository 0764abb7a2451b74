"""Images as another hand, another setting or another person might have given them."""

import numpy as np
import torch
from torch.nn import functional

JOIN = 0.4
"""Share of images that are joined with another, at full strength."""


def batch(
    grey: torch.Tensor,
    labels: torch.Tensor,
    rows: torch.Tensor,
    size: tuple[int, int],
    rng: np.random.Generator,
    strength: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Changed copies.

    Parameters
    ----------
    grey : Tensor, shape (n, 1, rows, columns), float32
        Grey 0-1.
    labels : Tensor, shape (n, 1, rows, columns), float32
        0 background, 1 nerve, 2 vessel.
    rows : Tensor, shape (n,)
        Rows that lie inside the image.
    size : (rows, columns)
        Of the result.

    Returns
    -------
    (x, y) : x (n, 3, *size) grey, inside, depth; y (n, *size) int64.
    """
    n, _, high, wide = grey.shape
    grid, depth, inside = _grid(n, high, wide, rows, size, rng, strength)
    image = functional.grid_sample(grey, grid, padding_mode="zeros", align_corners=False)
    truth = functional.grid_sample(labels, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    _joined((image, truth, inside, depth), rng, strength)
    image = _tones(image, depth, rng, strength)
    image = image * inside
    x = torch.cat([image, inside, depth], 1)
    return x.contiguous(memory_format=torch.channels_last), truth[:, 0].long()


def _joined(parts, rng, strength):
    """Some images get the right-hand columns of another."""
    count, wide = parts[0].shape[0], parts[0].shape[3]
    others = [part.clone() for part in parts]
    for one in range(count):
        if rng.random() < JOIN * strength:
            other, column = int(rng.integers(0, count)), int(rng.uniform(0.25, 0.75) * wide)
            for part, source in zip(parts, others, strict=True):
                part[one, :, :, column:] = source[other, :, :, column:]


def _grid(n, high, wide, rows, size, rng, strength):
    out_high, out_wide = size
    yy, xx = np.mgrid[:out_high, :out_wide].astype(np.float32)
    centred = np.stack([yy - out_high / 2, xx - out_wide / 2])
    where = np.empty((n, out_high, out_wide, 2), np.float32)
    for one in range(n):
        turn = rng.normal(0, 7) * np.pi / 180 * strength
        scale = np.exp(np.clip(rng.normal(0, 0.2), -0.4, 0.4) * strength)
        stretch = np.exp(rng.normal(0, 0.08) * strength)
        shear = rng.normal(0, 0.06) * strength
        flip = -1.0 if rng.random() < 0.5 else 1.0
        cos, sin = np.cos(turn), np.sin(turn)
        matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, 0], [shear, 1]])
        matrix = matrix @ np.diag([scale * stretch, scale / stretch])
        moved = np.einsum("ij,jyx->iyx", matrix, centred).astype(np.float32)
        moved += _wobble(rng, out_high, out_wide) * strength
        deep = float(rows[one])
        slack_y = 0.05 * wide
        low, top = (
            out_high / 2 * scale - slack_y,
            max(deep - out_high / 2 * scale, out_high / 2 * scale) + slack_y,
        )
        middle_y = (
            rng.uniform(low, top)
            if rng.random() < 0.6
            else out_high / 2 * scale + rng.uniform(-slack_y, slack_y)
        )
        slack = abs(wide - out_wide * scale) / 2 + slack_y
        middle_x = wide / 2 + rng.uniform(-slack, slack)
        where[one, ..., 1] = (moved[0] + middle_y) / high * 2 - 1 + 1 / high
        where[one, ..., 0] = (moved[1] * flip + middle_x) / wide * 2 - 1 + 1 / wide
    grid = torch.from_numpy(where)
    y, x = (grid[..., 1] + 1) * high / 2, (grid[..., 0] + 1) * wide / 2
    inside = (y >= 0) & (y <= rows.view(-1, 1, 1)) & (x >= 0) & (x <= wide)
    depth = y[:, None] / wide * inside[:, None]
    return grid, depth, inside[:, None].float()


def _wobble(rng, high, wide):
    """A smooth random field of small moves (pixels)."""
    coarse = torch.from_numpy(rng.normal(0, rng.uniform(0.5, 4.0), (1, 2, 7, 7)).astype(np.float32))
    return functional.interpolate(coarse, (high, wide), mode="bicubic", align_corners=False)[0].numpy()


def _tones(image, depth, rng, strength):
    """Gain over depth and width, contrast, grey map, speckle, blur, shadows."""
    n, _, high, wide = image.shape
    gamma = torch.from_numpy(np.exp(rng.normal(0, 0.25 * strength, (n, 1, 1, 1))).astype(np.float32))
    gain = np.exp(rng.normal(0, 0.2 * strength, (n, 1, 1, 1))).astype(np.float32)
    coarse = torch.from_numpy(rng.normal(0, 0.25 * strength, (n, 1, 5, 3)).astype(np.float32))
    curve = functional.interpolate(coarse, (high, wide), mode="bicubic", align_corners=False)
    out = image.clamp(1e-4, 1) ** gamma * torch.exp(curve) * torch.from_numpy(gain)
    out = out + torch.from_numpy(rng.normal(0, 0.02, (n, 1, 1, 1)).astype(np.float32))
    for one in range(n):
        kind = rng.random()
        if kind < 0.2:
            sigma = rng.uniform(0.5, 1.3)
            reach = torch.arange(-3, 4, dtype=torch.float32)
            line = torch.exp(-(reach**2) / 2 / sigma**2)
            line = line / line.sum()
            part = functional.conv2d(out[one : one + 1], line.view(1, 1, 1, 7), padding=(0, 3))
            out[one] = functional.conv2d(part, line.view(1, 1, 7, 1), padding=(3, 0))[0]
        elif kind < 0.5:
            cells = int(rng.integers(1, 4))
            noise = rng.normal(0, rng.uniform(0.05, 0.2), (1, 1, high // cells + 1, wide // cells + 1))
            noise = functional.interpolate(
                torch.from_numpy(noise.astype(np.float32)), (high, wide), mode="bilinear"
            )
            out[one] *= torch.exp(noise[0])
        for _ in range(int(rng.integers(0, 3))):
            h, w = (int(v) for v in rng.integers(8, 40, 2))
            y, x = int(rng.integers(0, high - h)), int(rng.integers(0, wide - w))
            out[one, :, y : y + h, x : x + w] = float(rng.uniform(0, 0.4))
        if rng.random() < 0.12:  # a shadow, or no contact, from one column on
            w = int(rng.integers(15, wide // 3))
            x = int(rng.integers(0, wide - w))
            out[one, :, :, x : x + w] *= float(rng.uniform(0.05, 0.6))
    return out.clamp(0, 1)
