"""A small residual U-Net that works at half resolution inside and answers at full resolution."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional


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
    """Image (n, 2, 112, 112) to logits (n, 12, 112, 112)."""

    def __init__(self, cin: int = 2, cout: int = 12, ch: tuple[int, ...] = (40, 72, 120, 168)) -> None:
        super().__init__()
        self.stem = Block(4 * cin, ch[0])
        self.down = nn.ModuleList(Block(a, b) for a, b in pairwise(ch))
        self.up = nn.ModuleList(Block(b + a, a) for b, a in pairwise(ch[::-1]))
        self.wide = nn.Conv2d(ch[0], 64, 1)
        self.head = nn.Conv2d(16 + cin, 24, 3, padding=1)
        self.out = nn.Conv2d(24, cout, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits of background and the eleven muscles."""
        skips = [self.stem(functional.pixel_unshuffle(image, 2))]
        for down in self.down:
            skips.append(down(functional.max_pool2d(skips[-1], 2)))
        x = skips.pop()
        for up in self.up:
            x = up(torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), skips.pop()], 1))
        x = functional.pixel_shuffle(self.wide(x), 2)
        return self.out(functional.relu(self.head(torch.cat([x, image], 1))))
