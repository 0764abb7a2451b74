"""A small residual U-Net for nerve and vessel that works at half resolution inside."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

REACH = 7
"""Cells of four pixels over which the local mean and spread of grey are taken."""


class Block(nn.Module):
    """Two convolutions with batch normalisation, and a way past them."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.na = nn.BatchNorm2d(cout)
        self.b = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.nb = nn.BatchNorm2d(cout)
        self.s = nn.Conv2d(cin, cout, 1, bias=False) if cin != cout else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same size, ``cout`` channels."""
        y = functional.relu(self.na(self.a(x)))
        return functional.relu(self.nb(self.b(y)) + self.s(x))


class UNet(nn.Module):
    """Grey, inside and depth (n, 3, rows, 256) to logits (n, 3, rows, 256) and an embedding (n, ch[-1])."""

    def __init__(self, ch: tuple[int, ...] = (24, 48, 96, 160, 208), drop: float = 0.2) -> None:
        super().__init__()
        self.stem = Block(16, ch[0])
        self.down = nn.ModuleList(Block(a, b) for a, b in pairwise(ch))
        self.thin = nn.ModuleList(nn.Conv2d(b, a, 1) for b, a in pairwise(ch[::-1]))
        self.up = nn.ModuleList(Block(2 * a, a) for a in ch[-2::-1])
        self.drop = nn.Dropout2d(drop)
        self.wide = nn.Conv2d(ch[0], 32, 1)
        self.head = nn.Conv2d(8 + 2, 12, 3, padding=1)
        self.out = nn.Conv2d(12, 3, 1)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of background, nerve and vessel, and the mean of the deepest features."""
        grey, inside = image[:, :1] * image[:, 1:2], image[:, 1:2]
        share = _blur(inside) + 1e-3
        mean = _blur(grey) / share
        spread = torch.sqrt(torch.clamp(_blur(grey * grey) / share - mean * mean, min=0) + 4e-4)
        local = (grey - mean * inside) / spread * 0.5
        x = torch.cat([grey * 2 - 0.5, local, image[:, 1:]], 1)
        skips = [self.stem(functional.pixel_unshuffle(x, 2))]
        for down in self.down:
            skips.append(down(functional.max_pool2d(skips[-1], 2)))
        deep = skips.pop()
        x = self.drop(deep)
        for thin, up in zip(self.thin, self.up, strict=True):
            x = functional.interpolate(thin(x), scale_factor=2.0, mode="nearest")
            x = up(torch.cat([x, skips.pop()], 1))
        x = functional.pixel_shuffle(self.wide(x), 2)
        x = functional.relu(self.head(torch.cat([x, grey, local], 1)))
        return self.out(x), deep.mean((2, 3))


def _blur(x: torch.Tensor) -> torch.Tensor:
    """Mean over a square of about 28 pixels, found at a quarter of the resolution."""
    x = functional.avg_pool2d(functional.avg_pool2d(x, 4), REACH, 1, REACH // 2)
    return functional.interpolate(x, scale_factor=4.0, mode="bilinear", align_corners=False)
