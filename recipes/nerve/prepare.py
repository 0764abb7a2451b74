"""Images and drawn masks to one cache: the tissue at a fixed width, so that pixels are about one size."""

import argparse
from pathlib import Path

import cv2
import numpy as np

WIDTH = 256
"""Pixels across the tissue; the probe's width is the scale."""
ROWS = 336
"""Rows of the canvas: 1.31 times the width, as deep as the deepest image."""


def tissue_box(grey: np.ndarray) -> tuple[int, int, int, int]:
    """First and last+1 row and column of the largest bright region."""
    mask = (cv2.blur(grey, (7, 7)) > 4).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    big = labels == 1 + int(np.argmax(stats[1:, 4]))
    rows = np.flatnonzero((big & (grey > 4)).sum(1) > 0.1 * big.sum(1).max())
    columns = np.flatnonzero((big & (grey > 4)).sum(0) > 2)
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def canvas(array: np.ndarray, box: tuple[int, int, int, int], *, nearest: bool) -> np.ndarray:
    """The columns of the box at WIDTH pixels, from its top to the end of the image; below is zero."""
    top, _, left, right = box
    part = array[top:, left:right]
    scale = WIDTH / part.shape[1]
    rows = max(1, round(part.shape[0] * scale))
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA
    small = cv2.resize(part, (WIDTH, rows), interpolation=how)[:ROWS]
    out = np.zeros((ROWS, WIDTH), np.uint8)
    out[: len(small)] = small
    return out


def main() -> None:
    """Write one npz: images, masks, rows that lie inside the image, boxes, names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds images/ and masks/")
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    images, masks, inside, boxes, names = [], [], [], [], []
    for path in sorted((options.folder / "images").glob("*.png")):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        drawn = cv2.imread(str(options.folder / "masks" / path.name), cv2.IMREAD_COLOR)
        label = np.where(drawn[..., 2] > 64, 1, np.where(drawn[..., 1] > 64, 2, 0)).astype(np.uint8)
        box = tissue_box(grey)
        images.append(canvas(grey, box, nearest=False))
        masks.append(canvas(label, box, nearest=True))
        scale = WIDTH / (box[3] - box[2])
        inside.append(min(ROWS, round((len(grey) - box[0]) * scale)))
        boxes.append(box)
        names.append(path.stem)
    np.savez_compressed(
        options.target, x=np.stack(images), y=np.stack(masks), rows=inside, boxes=boxes, names=names
    )


if __name__ == "__main__":
    main()
