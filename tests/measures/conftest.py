"""Small scans of known geometry for the Dixon tests: round legs with muscles of constant fat fraction."""

from types import SimpleNamespace

import numpy as np
import pytest

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation

RADIUS_MM = 40.0
MUSCLES = {1: ("vastus_lateralis", 22.0, 0.10), 2: ("gracilis", -22.0, 0.30)}
"""Label -> site, distance from the leg's centre outwards (mm), fat fraction."""
MUSCLE_RADIUS_MM = 9.0
FAT_FRACTION = 0.92


def make_scan(
    *,
    legs=(-50.0, 50.0),
    n_slices=4,
    spacing=(2.0, 2.0, 5.0),
    noise=0.0,
    half_width_mm=110.0,
    seed=0,
    labels_at=None,
) -> tuple[Acquisition, Segmentation]:
    """Legs centred at these x (RAS, right positive); LPS-stored, as scanners write."""
    n = [round(2 * half_width_mm / spacing[0]), round(110 / spacing[1]), n_slices]
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[:3, 3] = [half_width_mm - spacing[0] / 2, 55 - spacing[1] / 2, 0.0]
    x = affine[0, 0] * np.arange(n[0]) + affine[0, 3]
    y = affine[1, 1] * np.arange(n[1]) + affine[1, 3]
    fraction, signal = np.zeros(n[:2]), np.zeros(n[:2])
    labels = np.zeros(n[:2], dtype=np.uint16)
    for centre in legs:
        out = 1.0 if centre > 0 else -1.0
        body = np.hypot(x[:, None] - centre, y[None, :]) < RADIUS_MM
        signal[body], fraction[body] = 1000.0, FAT_FRACTION
        for label, (_, away, share) in MUSCLES.items():
            mask = np.hypot(x[:, None] - centre - out * away, y[None, :]) < MUSCLE_RADIUS_MM
            fraction[mask] = share
            if labels_at is None or centre in labels_at:
                labels[mask] = label
    rng = np.random.default_rng(seed)
    images = {}
    for name, part in (("fat", fraction * signal), ("water", (1 - fraction) * signal)):
        stack = np.repeat(part[:, :, None], n_slices, axis=2)
        real, imaginary = rng.normal(size=(2, *stack.shape)) * noise
        images[name] = np.hypot(stack + real, imaginary).astype(np.float32)
    mask = np.repeat(labels[:, :, None], n_slices, axis=2)
    names = {label: (site, "") for label, (site, _, _) in MUSCLES.items()}
    scan = Acquisition("s1", "m00", "", "dixon", Volume(images, affine), digest="d0")
    return scan, Segmentation(mask, affine.copy(), names, "reader")


def with_channels(scan: Acquisition, **channels) -> Acquisition:
    """The scan with other images."""
    volume = scan.payload
    return Acquisition(
        scan.subject,
        scan.session,
        scan.run,
        scan.modality,
        Volume({**volume.channels, **channels}, volume.affine),
    )


@pytest.fixture(scope="session")
def discs() -> SimpleNamespace:
    """The makers of scans, and what is true of them."""
    return SimpleNamespace(
        make=make_scan,
        with_channels=with_channels,
        muscles=MUSCLES,
        fat_fraction=FAT_FRACTION,
        radius_mm=MUSCLE_RADIUS_MM,
    )
