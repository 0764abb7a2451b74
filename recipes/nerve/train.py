"""Training of the nerve network: on the images not held out, or on all with a schedule fixed before."""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

import augment
from model import UNet

KEEP = 0.995
SAVE_EVERY_S = 180


class Data:
    """The cache as tensors, and the part that is learnt."""

    def __init__(self, cache: Path, split: Path, *, everything: bool, width: int = 256) -> None:
        data, parts = np.load(cache), np.load(split)
        self.x = torch.from_numpy(data["x"].astype(np.float32) / 255)[:, None]
        self.y = torch.from_numpy(data["y"].astype(np.float32))[:, None]
        self.rows = torch.from_numpy(data["rows"].astype(np.float32))
        self.width = width
        if width != self.x.shape[3]:
            high = self.x.shape[2] * width // self.x.shape[3]
            self.rows = torch.floor(self.rows * width / self.x.shape[3])
            self.x = functional.interpolate(self.x, (high, width), mode="area")
            self.y = functional.interpolate(self.y, (high, width), mode="nearest-exact")
        self.held = np.flatnonzero(parts["held"])
        clusters, learnt = parts["clusters"], np.ones(len(parts["held"]), bool)
        if not everything:
            learnt &= ~parts["held"]
        self.learnt = np.flatnonzero(learnt)
        sizes = np.bincount(clusters)[clusters[self.learnt]]
        weight = 1 / np.sqrt(sizes)
        self.weight = weight / weight.sum()

    def batch(
        self, rng: np.random.Generator, size: tuple[int, int], count: int, strength: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One changed batch; images of large clusters come less often."""
        pick = rng.choice(self.learnt, count, replace=False, p=self.weight)
        return augment.batch(self.x[pick], self.y[pick], self.rows[pick], size, rng, strength)


def loss_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy, plus one minus soft Dice of nerve and vessel, of the batch and of each image."""
    chance = logits.softmax(1)[:, 1:]
    truth = functional.one_hot(labels, 3).permute(0, 3, 1, 2)[:, 1:].float()
    both, total = (chance * truth).sum((2, 3)), (chance + truth).sum((2, 3))
    weight = torch.tensor([0.65, 0.35])
    whole = ((2 * both.sum(0) + 1) / (total.sum(0) + 1) * weight).sum()
    each = ((2 * both + 60) / (total + 60)).mean(0) @ weight
    return functional.cross_entropy(logits, labels, label_smoothing=0.01) + 1.5 - 0.75 * (whole + each)


def whole(data: Data, index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One image as the runtime gives it to the network, and its mask."""
    rows = int(data.rows[index])
    high = int(np.ceil(rows / 32)) * 32
    width = data.width
    x = torch.zeros(1, 3, high, width)
    x[0, 0, :rows] = data.x[index, 0, :rows]
    x[0, 1, :rows] = 1
    x[0, 2, :rows] = ((torch.arange(rows) + 0.5) / width)[:, None]
    y = torch.zeros(high, width)
    y[:rows] = data.y[index, 0, :rows]
    return x, y


def scores(net: UNet, data: Data, indices: np.ndarray) -> np.ndarray:
    """Dice of nerve and vessel of each image, shape (n, 2); nothing found where nothing is: NaN."""
    out = np.full((len(indices), 2), np.nan)
    net.eval()
    with torch.no_grad():
        for place, index in enumerate(indices):
            x, y = whole(data, index)
            found = net(x)[0].argmax(1)[0]
            for label in (1, 2):
                mine, own = found == label, y == label
                if mine.any() or own.any():
                    out[place, label - 1] = 2 * (mine & own).sum() / (mine.sum() + own.sum())
    return out


def train(options: argparse.Namespace) -> None:
    """Learn until the budget is spent; checkpoints hold everything needed to go on."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    data = Data(options.cache, options.split, everything=options.all, width=options.width)
    rng = np.random.default_rng(options.seed)
    net, mean = UNet().to(memory_format=torch.channels_last), UNet()
    if options.start:
        net.load_state_dict(torch.load(options.start, weights_only=False)["net"])
    mean.load_state_dict(net.state_dict())
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": 2e-2},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, options.rate)
    step, running = 0, 0.0
    began = saved = time.time()
    while True:
        share = min(1.0, (time.time() - began) / 60 / options.minutes)
        warm = 1.0 if options.start else min(1.0, (step + 1) / 100)
        for group in optimiser.param_groups:
            group["lr"] = options.rate * warm * (0.5 * (1 + np.cos(np.pi * share)) + 0.005)
        net.train()
        images, labels = data.batch(rng, tuple(options.size), options.batch, options.strength)
        loss = loss_of(net(images)[0], labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 3.0)
        optimiser.step()
        step += 1
        running = loss.item() if not running else 0.98 * running + 0.02 * loss.item()
        _average(mean, net, min(KEEP, (1 + step) / (10 + step)))
        if time.time() - saved > SAVE_EVERY_S or share >= 1:
            saved = time.time()
            partial = folder / "last.partial"
            torch.save({"net": net.state_dict(), "mean": mean.state_dict(), "step": step}, partial)
            partial.replace(folder / "last.pt")
            told = scores(mean, data, data.held)
            line = {
                "minute": round((time.time() - began) / 60, 1),
                "epoch": round(step * options.batch / len(data.learnt), 1),
                "loss": round(running, 4),
                "held_nerve": round(float(np.nanmean(told[:, 0])), 4),
                "held_vessel": round(float(np.nanmean(told[:, 1])), 4),
                "nerve_below_half": int((told[:, 0] < 0.5).sum()),
            }
            print(json.dumps(line), flush=True)
            if share >= 1:
                break
    print("done", flush=True)


def _average(mean: UNet, net: UNet, keep: float) -> None:
    with torch.no_grad():
        for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            if a.dtype.is_floating_point:
                a.mul_(keep).add_(b, alpha=1 - keep)
            else:
                a.copy_(b)


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("split", type=Path)
    parser.add_argument("folder", type=Path, help="checkpoints are written here")
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--width", type=int, default=256, help="pixels across the tissue")
    parser.add_argument("--size", type=int, nargs=2, default=[224, 224], help="rows and columns of a crop")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--strength", type=float, default=0.6, help="of the changes, 0-1")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--start", type=Path, help="checkpoint to continue")
    parser.add_argument("--all", action="store_true", help="learn the held-out images too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
