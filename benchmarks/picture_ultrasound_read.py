"""Draw docs/img/ultrasound-read.png: simulated screens with what is not tissue shaded, and odd screens."""

import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput
from myoproof.phantoms.bmode import frame
from myoproof.phantoms.bmode_scene import BmodeParams
from myoproof.sources.ultrasound import reading

OUT = Path(__file__).resolve().parents[1] / "docs" / "img" / "ultrasound-read.png"
SIZE = (420, 330)
SHADE = np.array([150, 80, 0])
Bytes = npt.NDArray[np.uint8]


def main() -> None:
    """Write the picture."""
    tiles = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (title, pixels) in enumerate(pictures()):
            path = Path(folder) / f"{number}.png"
            cv2.imwrite(str(path), pixels)
            tiles.append(tile(title, pixels, path))
    sheet = np.vstack([np.hstack(tiles[:4]), np.hstack(tiles[4:])])
    cv2.imwrite(str(OUT), sheet)


def pictures() -> list[tuple[str, Bytes]]:
    """Titles and screens."""
    made = []
    for seed, device in enumerate(("device-a", "device-b", "device-c", "device-d")):
        params = BmodeParams(device=device, screen=True)
        made.append(
            (
                device,
                frame(rng=np.random.default_rng(seed), params=params).acquisition.payload.pixels[0, ..., 0],
            )
        )
    first, second = (simulated(seed) for seed in (11, 12))
    dual = np.zeros((470, 1080), np.uint8)
    dual[50:434, 20:532], dual[50:434, 560:1060] = first, second[:, :500]
    doppler = cv2.cvtColor(first, cv2.COLOR_GRAY2BGR)
    cv2.ellipse(doppler, (260, 180), (60, 25), 10, 0, 360, (30, 60, 220), -1)
    lettered = first.copy()
    cv2.putText(lettered, "MEDIAL", (60, 330), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 2)
    params = BmodeParams(device="device-d")
    head = frame(rng=np.random.default_rng(5), params=params).acquisition.payload.pixels[0, ..., 0]
    odd = [
        ("two images", dual),
        ("Doppler", doppler),
        ("letters", lettered),
        ("on its head", head[::-1].copy()),
    ]
    return [*made, *odd]


def simulated(seed: int) -> Bytes:
    """A bare frame."""
    return frame(rng=np.random.default_rng(seed), params=BmodeParams()).acquisition.payload.pixels[0, ..., 0]


def tile(title: str, pixels: Bytes, path: Path) -> Bytes:
    """A screen, what is not tissue shaded, and what is said of it."""
    image = pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    try:
        found = reading(path)
        shown = image.copy()
        outside = ~found.acquisition.payload.tissue
        shown[outside] = (0.5 * shown[outside] + 0.5 * SHADE).astype(np.uint8)
        spacing = found.acquisition.payload.spacing_mm
        scale = f"{spacing[0]:.4f} mm by its ruler" if spacing else "no scale"
        words = [word for word in found.flags if word not in {"uncalibrated", "scale_from_ruler"}]
        told = f"{found.shape}, {'; '.join(words) or scale}"
    except InvalidInput:
        shown, told = (0.4 * image).astype(np.uint8), "refused: upside down"
    scale = min(SIZE[0] / shown.shape[1], (SIZE[1] - 40) / shown.shape[0])
    small = cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    out = np.full((SIZE[1] + 10, SIZE[0] + 10, 3), 255, np.uint8)
    out[40 : 40 + small.shape[0], : small.shape[1]] = small
    cv2.putText(
        out, f"{title}: {told}", (2, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.48, (40, 40, 40), 1, cv2.LINE_AA
    )
    return out


if __name__ == "__main__":
    main()
