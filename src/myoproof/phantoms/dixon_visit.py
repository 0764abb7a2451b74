"""What has changed in a simulated thigh since its first scan: size, fat, and how the person lies."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.phantoms.dixon_anatomy import Grid

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of a person; the default is the first.

    Parameters
    ----------
    number : int
        0 = the first scan. Another number has its own noise and receive field.
    radius_factor : tuple of float
        Radius of each of the eleven muscles against the first visit; empty = unchanged.
    logit_shift : tuple of float
        Added to the logit of each muscle's typical fat fraction; empty = unchanged.
    shift_mm : tuple of float
        How the leg lies in the scanner, outwards and forwards.
    turn_rad : float
        In-plane turn of the leg.
    stack_shift_mm : float
        By how much the stack lies higher on the leg.
    """

    number: int = 0
    radius_factor: tuple[float, ...] = ()
    logit_shift: tuple[float, ...] = ()
    shift_mm: tuple[float, float] = (0.0, 0.0)
    turn_rad: float = 0.0
    stack_shift_mm: float = 0.0

    def own(self, rng: np.random.Generator) -> np.random.Generator:
        """The stream of this visit; the first visit's is the given one."""
        return rng.spawn(self.number)[-1] if self.number else rng

    def grid(self, grid: Grid) -> Grid:
        """The acquired grid in the leg's own coordinates."""
        x_mm, y_mm = (axis - shift for axis, shift in zip((grid.x_mm, grid.y_mm), self.shift_mm, strict=True))
        return Grid(x_mm, y_mm, grid.z_mm + self.stack_shift_mm)

    def radius(self, radius: Floats) -> Floats:
        """Radius factors of this visit, given those of the first."""
        return radius * np.asarray(self.radius_factor) if self.radius_factor else radius
