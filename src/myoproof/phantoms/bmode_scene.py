"""What a simulated B-mode picture shows: its parameters, and a scene that can be painted and measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from myoproof.errors import InvalidInput
from myoproof.phantoms.bmode_image import Paint

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint16]
View = Literal["longitudinal", "transverse", "nerve", "reference"]
VIEWS = ("longitudinal", "transverse", "nerve", "reference")
DISEASES = ("als", "dmd")


@dataclass(frozen=True, slots=True)
class BmodeParams:
    """What is simulated and how it is scanned.

    Parameters
    ----------
    view : {"longitudinal", "transverse", "nerve", "reference"}
        ``reference`` is a uniform tissue phantom.
    site : str
        Muscle or nerve; "" takes the first of the view.
    side : str
        Side of the body, for the key alone.
    device : str
        ``device-a`` ... ``device-d``.
    severity : float
        0 healthy to 1 end stage: brighter and thinner muscle, fewer streaks, blurred fasciae.
    disease : {"als", "dmd"}
        DMD: less thinning, more even brightness, more attenuation.
    gain_db : float
        Overall gain beside the preset's.
    shape : tuple of int
        Rows and columns of the tissue.
    depth_mm : float
        Depth shown; 0 lets the anatomy choose.
    rises : {"", "right", "left"}
        Where fascicles rise to in the picture; "" draws it.
    thickness_mm, pennation_deg, muscle_db, area_mm2 : float, optional
        Set what is otherwise drawn: thickness of the healthy muscle at mid-width, fascicles against the deep
        aponeurosis, echo of the muscle before severity (dB), area of the nerve.
    screen : bool
        Draw the tissue on a device's screen: text, ruler, logo, grey bar.
    subject, session, run : str
        Key of the acquisition.

    Raises
    ------
    InvalidInput
        If a word is unknown or a number out of its domain.
    """

    view: View = "longitudinal"
    site: str = ""
    side: str = "right"
    device: str = "device-a"
    severity: float = 0.0
    disease: Literal["als", "dmd"] = "als"
    gain_db: float = 0.0
    shape: tuple[int, int] = (384, 512)
    depth_mm: float = 0.0
    rises: Literal["", "right", "left"] = ""
    thickness_mm: float | None = None
    pennation_deg: float | None = None
    muscle_db: float | None = None
    area_mm2: float | None = None
    screen: bool = False
    subject: str = "phantom"
    session: str = "m00"
    run: str = "1"

    def __post_init__(self) -> None:
        if self.view not in VIEWS:
            raise InvalidInput(f"no view {self.view!r}", mend=f"use one of {', '.join(VIEWS)}")
        if self.disease not in DISEASES:
            raise InvalidInput(f"no disease {self.disease!r}", mend=f"use one of {', '.join(DISEASES)}")
        if not 0.0 <= self.severity <= 1.0:
            raise InvalidInput(f"severity {self.severity}", mend="0 is healthy, 1 is end stage")
        if min(self.shape) < 64 or not self.depth_mm >= 0:
            raise InvalidInput(
                f"{self.shape} pixels, {self.depth_mm} mm", mend="64 pixels or more; depth >= 0"
            )


@dataclass(frozen=True, slots=True)
class Scene:
    """Anatomy as functions of position, in mm: x to the right of the middle, z below the probe.

    Parameters
    ----------
    depth_mm : float
        Depth to show.
    paint : callable
        (x, z, depth along the beam) -> Paint; arrays of one shape.
    regions : callable
        (x, z) -> labels.
    names : mapping of int to (site, side)
        What the labels are.
    rows : callable
        (half width of the tissue in mm, top of the picture in mm) -> true rows without keys.
    attenuation : float or None
        dB/(cm MHz) of the tissue; None where the time gain matches it.
    mirror : float
        +1 where fascicles rise to the right of the picture, -1 to the left.
    """

    depth_mm: float
    paint: Callable[[Images, Images, Images], Paint]
    regions: Callable[[Images, Images], Labels]
    names: Mapping[int, tuple[str, str]]
    rows: Callable[[float, float], list[dict[str, Any]]]
    attenuation: float | None
    mirror: float = 1.0


@dataclass(frozen=True, slots=True)
class Disease:
    """What a severity does to muscle. Proposals, with the published direction: echoes rise, muscle thins.

    Parameters
    ----------
    echo_db : float
        Rise of the muscle's echo.
    thickness : float
        Factor on thickness.
    streaks : float
        Factor on the contrast of perimysium.
    blur_mm : float
        Added softness of fasciae.
    patch_db : float
        SD of patchy brightness.
    attenuation : float
        Added dB/(cm MHz).
    """

    echo_db: float
    thickness: float
    streaks: float
    blur_mm: float
    patch_db: float
    attenuation: float


def disease(params: BmodeParams) -> Disease:
    """What the severity of some parameters does."""
    s = params.severity
    if params.disease == "dmd":
        return Disease(15.0 * s, 1.0 - 0.10 * s, 1.0 - 0.85 * s, 0.6 * s, 1.5 - 0.5 * s, 0.12 * s)
    return Disease(11.0 * s, 1.0 - 0.40 * s, 1.0 - 0.55 * s, 0.4 * s, 1.5 + 1.5 * s, 0.05 * s)
