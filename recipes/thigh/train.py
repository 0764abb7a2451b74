"""Training on simulated images alone: one process for each generator draws them, one learns."""

import argparse
import json
import multiprocessing as mp
import time
from pathlib import Path
from queue import Empty

import numpy as np
import torch
from torch.nn import functional

import generate
import plain
from model import UNet

HELD_OUT = ("026", "061", "HV003", "119", "018", "045")
"""Subjects whose anatomy is kept for validation and calibration."""
BATCH = 12
START = 900
"""Samples drawn before learning begins."""
POOL = 12000
"""Samples kept; each is seen a few times, shifted and re-weighted anew."""
FRESH = 0.6
"""New samples a sample learnt: generators wait beyond it, so that they do not take the learner's core."""
SHARES = {"detailed": 10, "plain": 2}
"""Samples of each generator in a batch of 12."""
CLASSES = 12
SAVE_EVERY_S = 200


def draw(queue: mp.Queue, folder: Path, kind: str, seed: int) -> None:
    """Endless batches of one generator."""
    rng = np.random.default_rng(seed)
    if kind == "detailed":
        templates = generate.load(str(folder / "templates.npz"), held=False, only=HELD_OUT)
        bank = generate.Bank(rng)
    else:
        maps = plain.load(folder / "plain_templates.npz", HELD_OUT, held=False)
    while True:
        if kind == "detailed":
            drawn = [generate.sample(rng, templates, bank) for _ in range(16)]
        else:
            drawn = [plain.sample(rng, maps) for _ in range(16)]
        images = np.stack([one[0] for one in drawn]).astype(np.float16)
        queue.put((images, np.stack([one[1] for one in drawn]).astype(np.uint8)))


class Pool:
    """The newest samples of all generators."""

    def __init__(self, queues: list[mp.Queue], shares: list[int]) -> None:
        self.queues = queues
        self.kinds = np.repeat(np.arange(len(shares)), shares)
        self.images: list[list[np.ndarray]] = [[] for _ in queues]
        self.labels: list[list[np.ndarray]] = [[] for _ in queues]
        self.drawn = [0] * len(queues)
        self.learnt = 0

    def refill(self, *, fill: bool = False) -> None:
        for number, queue in enumerate(self.queues):
            wanted = FRESH * self.learnt * (self.kinds == number).mean()
            while fill or self.drawn[number] < wanted + START * (self.kinds == number).mean():
                try:
                    images, labels = queue.get_nowait()
                except Empty:
                    break
                self.images[number].extend(images)
                self.labels[number].extend(labels)
                self.drawn[number] += len(images)
            limit = int(POOL * (self.kinds == number).mean())
            del self.images[number][:-limit], self.labels[number][:-limit]

    def ready(self) -> bool:
        return all(
            len(images) >= START * (self.kinds == number).mean() for number, images in enumerate(self.images)
        )

    def batch(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = [], []
        self.learnt += BATCH
        for place in range(BATCH):
            kind = int(self.kinds[place % self.kinds.size])
            size = len(self.images[kind])
            low = max(0, size - 1200) if rng.random() < 0.5 else 0
            pick = int(rng.integers(low, size))
            shift = tuple(rng.integers(-8, 9, 2))
            images.append(_shifted(self.images[kind][pick].astype(np.float32), (0, *shift)))
            labels.append(_shifted(self.labels[kind][pick], shift))
        x = np.stack(images) ** np.exp(rng.normal(0, 0.12, (BATCH, 1, 1, 1))).astype(np.float32)
        x = (x + rng.normal(0, 0.008, x.shape)).astype(np.float32)
        return torch.from_numpy(x).contiguous(memory_format=torch.channels_last), torch.from_numpy(
            np.stack(labels).astype(np.int64)
        )


def _shifted(array: np.ndarray, shift: tuple[int, ...]) -> np.ndarray:
    """Moved by whole pixels; what comes in is nothing."""
    out = np.zeros_like(array)
    into = tuple(slice(max(0, s), array.shape[i] + min(0, s)) for i, s in enumerate(shift))
    from_ = tuple(slice(max(0, -s), array.shape[i] + min(0, -s)) for i, s in enumerate(shift))
    out[into] = array[from_]
    return out


def loss_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy with smoothed labels plus one minus the mean soft Dice of the eleven muscles."""
    chance = logits.softmax(1)
    truth = functional.one_hot(labels, CLASSES).permute(0, 3, 1, 2).float()
    both, total = (chance * truth).sum((0, 2, 3)), (chance + truth).sum((0, 2, 3))
    dice = ((2 * both + 1) / (total + 1))[1:].mean()
    return functional.cross_entropy(logits, labels, label_smoothing=0.02) + 1 - dice


def scores(net: UNet, path: Path) -> np.ndarray:
    """Dice of the eleven muscles over a file of simulated images of held-out people."""
    data = np.load(path)
    sums = np.zeros((CLASSES, 2))
    with torch.no_grad():
        for start in range(0, len(data["x"]), 24):
            part = slice(start, start + 24)
            found = net(torch.from_numpy(data["x"][part].astype(np.float32))).argmax(1).numpy()
            truth = data["y"][part]
            for label in range(CLASSES):
                mine, own = found == label, truth == label
                sums[label] += 2 * (mine & own).sum(), mine.sum() + own.sum()
    return (sums[:, 0] / np.maximum(sums[:, 1], 1))[1:]


def train(options: argparse.Namespace) -> None:
    """Learn until the budget is spent; checkpoints hold everything needed to go on."""
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    folder: Path = options.folder
    queues = [mp.Queue(3) for _ in options.generators]
    for number, kind in enumerate(options.generators):
        seed = options.seed * 1000 + number + int(time.time()) % 100000
        mp.Process(target=draw, args=(queues[number], folder, kind, seed), daemon=True).start()
    pool = Pool(queues, [SHARES[kind] for kind in options.generators])
    rng = np.random.default_rng(options.seed)
    net, mean = UNet().to(memory_format=torch.channels_last), UNet()
    optimiser = torch.optim.AdamW(net.parameters(), options.rate, weight_decay=1e-3)
    state = {"spent_s": 0.0, "step": 0}
    last = folder / "last.pt"
    if last.exists():
        kept = torch.load(last, weights_only=False)
        net.load_state_dict(kept["net"])
        optimiser.load_state_dict(kept["optimiser"])
        state = kept["state"]
    elif options.start:
        kept = torch.load(options.start, weights_only=False)
        kept = kept.get("mean", kept)
        net.load_state_dict(kept)
    mean.load_state_dict(kept["mean"] if last.exists() else net.state_dict())
    while not pool.ready():
        pool.refill(fill=True)
        time.sleep(0.2)
    began = saved = time.time()
    spent, running = state["spent_s"], 0.0
    while spent < options.minutes * 60:
        pool.refill()
        share = spent / 60 / options.minutes
        rate = (
            options.rate * min(1.0, (state["step"] + 1) / 150) * (0.5 * (1 + np.cos(np.pi * share)) + 0.004)
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        images, labels = pool.batch(rng)
        loss = loss_of(net(images), labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 3.0)
        optimiser.step()
        state["step"] += 1
        running = loss.item() if not running else 0.98 * running + 0.02 * loss.item()
        _average(mean, net, min(0.998, (1 + state["step"]) / (10 + state["step"])))
        spent = state["spent_s"] + time.time() - began
        if time.time() - saved > SAVE_EVERY_S or spent >= options.minutes * 60:
            saved = time.time()
            _save(last, net, mean, optimiser, {"spent_s": spent, "step": state["step"]})
            told = {path.stem: scores(mean.eval(), path).round(3) for path in options.validation}
            print(
                f"minute {spent / 60:.1f} step {state['step']} drawn {sum(pool.drawn)} loss {running:.3f}",
                json.dumps({name: [round(float(v.mean()), 3), v.tolist()] for name, v in told.items()}),
                flush=True,
            )
    print("done", flush=True)


def _average(mean: UNet, net: UNet, keep: float) -> None:
    with torch.no_grad():
        for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            if a.dtype.is_floating_point:
                a.mul_(keep).add_(b, alpha=1 - keep)
            else:
                a.copy_(b)


def _save(path: Path, net: UNet, mean: UNet, optimiser: torch.optim.Optimizer, state: dict) -> None:
    partial = path.with_suffix(".partial")
    parts = {"net": net.state_dict(), "mean": mean.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save({**parts, "state": state}, partial)
    partial.replace(path)


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds the templates; checkpoints are written here")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--generators", nargs="+", default=["detailed", "plain"])
    parser.add_argument("--validation", nargs="*", type=Path, default=[])
    parser.add_argument("--seed", type=int, default=1)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
