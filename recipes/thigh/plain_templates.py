"""Label maps of both thighs cut into single, canonical thigh slices of 2 mm, for the plainer generator."""

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

SIZE, STEP_MM = 112, 2.0
LEAST_MM2 = 1500.0
THIN_MM = 6.0
"""Of thinner slices only every second or third is taken."""


def cut_column(labels: np.ndarray) -> int:
    """The emptiest column in the middle of the labelled ones."""
    counts = ndimage.gaussian_filter1d((labels > 0).sum(axis=(1, 2)).astype(float), 4)
    columns = np.flatnonzero(counts > 0)
    low, width = columns[0], columns[-1] - columns[0]
    start = low + int(0.3 * width)
    return start + int(np.argmin(counts[start : low + int(0.7 * width)]))


def resampled(level: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """A slice around the centre of its labels, each label smoothed and sampled, the largest share wins."""
    centre = np.array(ndimage.center_of_mass(level > 0))
    grid = (np.indices((SIZE, SIZE)) - (SIZE - 1) / 2) * STEP_MM
    places = np.stack([grid[0] / spacing[0] + centre[0], grid[1] / spacing[1] + centre[1]])
    best, out = np.full((SIZE, SIZE), 0.5, np.float32), np.zeros((SIZE, SIZE), np.uint8)
    width = max(1, int(STEP_MM / spacing[0]))
    for label in np.unique(level[level > 0]):
        smooth = ndimage.uniform_filter((level == label).astype(np.float32), width)
        share = ndimage.map_coordinates(smooth, places, order=1)
        out[share > best], best = label, np.maximum(best, share)
    return out


def main() -> None:
    """Write plain_templates.npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path, help="folder of mri_thigh_labels")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    maps, people = [], []
    for path in sorted(options.labels.rglob("*.nii.gz")):
        image = nib.as_closest_canonical(nib.load(path))
        labels = np.asarray(image.dataobj).round().astype(np.uint8)
        labels[labels > 11] = 0
        spacing = tuple(float(step) for step in image.header.get_zooms()[:3])
        cut = cut_column(labels)
        every = max(1, round(THIN_MM / spacing[2])) if spacing[2] < THIN_MM else 1
        for part in (labels[:cut][::-1], labels[cut:]):
            for k in range(0, part.shape[2], every):
                if (part[:, :, k] > 0).sum() * spacing[0] * spacing[1] >= LEAST_MM2:
                    maps.append(resampled(part[:, :, k], spacing))
                    people.append(path.name.split(".")[0].rsplit("_", 1)[0])
    np.savez_compressed(options.out, t=np.stack(maps), pid=people)
    print(len(maps), len(set(people)))


if __name__ == "__main__":
    main()
