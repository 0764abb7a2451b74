"""The uniform tissue phantom that a device is calibrated with: speckle of one level, nothing else."""

from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.phantoms.bmode_image import Paint
from myoproof.phantoms.bmode_scene import BmodeParams, Labels, Scene

Images = npt.NDArray[np.float32]

REFERENCE_DB = -40.0
"""Echo of the uniform tissue phantom: calibrated backscatter counts from here. Design."""
DEPTH_MM = 40.0


def reference(params: BmodeParams, *, rng: np.random.Generator) -> Scene:
    """Uniform speckle whose attenuation the time gain matches; ``muscle_db`` sets another level.

    Parameters
    ----------
    params : BmodeParams
        ``depth_mm`` and ``muscle_db`` are used.
    rng : numpy.random.Generator
        Not used: nothing in it is drawn.
    """
    del rng
    level = REFERENCE_DB if params.muscle_db is None else params.muscle_db

    def paint(x: Images, z: Images, along_beam: Images) -> Paint:
        del z, along_beam
        speckle = np.full(x.shape, 10.0 ** (level / 20.0), dtype=np.float32)
        return Paint(speckle, np.zeros_like(speckle), np.zeros_like(speckle))

    def regions(x: Images, z: Images) -> Labels:
        del z
        return np.full(x.shape, 2, dtype=np.uint16)

    def rows(half_width_mm: float, top_mm: float) -> list[dict[str, Any]]:
        del half_width_mm, top_mm
        return []

    return Scene(params.depth_mm or DEPTH_MM, paint, regions, {2: ("lean_muscle", "")}, rows, None)
