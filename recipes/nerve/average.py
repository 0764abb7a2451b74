"""The mean of several checkpoints of one trajectory: flatter, and better on images not seen, than each."""

import argparse
from pathlib import Path

import torch


def main() -> None:
    """Write a checkpoint whose weights are the mean of the averaged weights of others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    options = parser.parse_args()
    kept = [torch.load(path, weights_only=False)["mean"] for path in options.checkpoints]
    mean = {
        name: sum(one[name] for one in kept) / len(kept) if first.dtype.is_floating_point else first
        for name, first in kept[0].items()
    }
    torch.save({"net": mean, "mean": mean, "step": 0}, options.target)


if __name__ == "__main__":
    main()
