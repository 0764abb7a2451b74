"""Maps of water T2, its SD and the transmit field from echoes and their companions."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Echoes
from myoproof.measures import relaxation_grids as grids
from myoproof.measures.relaxation_params import CALIBRATED_FAT_T2_SD_S, Context, Params
from myoproof.numerics.limbs import body
from myoproof.numerics.rician import noise_sd
from myoproof.numerics.water_t2 import FREE, Fitted, Known, fit
from myoproof.numerics.water_t2_b1 import local_field
from myoproof.numerics.water_t2_dictionary import B1_RANGE, Dictionary, Train, build
from myoproof.numerics.water_t2_expected import expected_sd

Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

WATERY = 0.5
"""Voxels with less fat than this are asked for the transmit field."""
NEARLY_FAT = 0.85
"""Voxels with more fat than this are asked for fat's T2."""
FIELD_AGAIN = 0.05
"""The field is found again where fat's T2 turned out to differ by more than this share."""
FEWEST_FAT_VOXELS = 200
MOST_FAT_VOXELS = 4000
ADIPOSE_WATER_T2_S = 0.035
"""T2 of the little water in adipose tissue (proposal)."""
FAT_T2_RANGE_S = (0.090, 0.250)
"""Fat T2 found outside this is not believed."""
MARGIN = 3
"""Voxels around the labels that are fitted too: the border may lie there."""
TR_MARGIN = 0.5
"""Echo spacings after the last echo before magnetisation recovers undisturbed."""
UNKNOWN_TR_DOUBT = 0.10
"""Relative SD of fat's signal over water's where the repetition time is unknown (proposal)."""
MOST_SHARE = 0.98
"""A fat share counts as this at most."""
TISSUE_IN_NOISE = 3.0
"""Tissue's first echo stands this many noise SDs above nothing."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What one scan gives, on the grid of its echoes.

    Parameters
    ----------
    echoes : Echoes
        As acquired.
    train : Train
        Protocol and known relaxation, with the T2 of fat that was used.
    dictionary : Dictionary
        Signals of that train.
    noise_sd : float
        Of the real part.
    tissue : ndarray of bool, shape (x, y, z)
        The body.
    places : ndarray of int
        Flat indices of the fitted voxels.
    known : Known
        What was known of them.
    fitted : Fitted
        Their fit.
    fat_known, field_given : bool
        Whether companions told fat and field.
    field_sd : ndarray, shape (voxel,), float32
        SD of the transmit field of the fitted voxels, which the voxels of a muscle share; 0 where the field
        was free in each.
    fat_t2_sd_s, fat_signal_sd : float
        SD of fat's T2; relative SD of fat's signal over water's.
    expected_sd_s : ndarray, shape (voxel,), float32
        SD of water T2 to be expected at a T2 that voxels share, for their weights in a mean.
    """

    echoes: Echoes
    train: Train
    dictionary: Dictionary
    noise_sd: float
    tissue: Bools
    places: npt.NDArray[np.intp]
    known: Known
    fitted: Fitted
    fat_known: bool
    field_given: bool
    field_sd: Floats32
    fat_t2_sd_s: float
    fat_signal_sd: float
    expected_sd_s: Floats32

    def on_grid(self, values: Floats32) -> Floats32:
        """A map of the scan's shape from values of the fitted voxels; NaN elsewhere."""
        out = np.full(int(np.prod(self.echoes.shape)), np.nan, dtype=np.float32)
        out[self.places] = values
        return out.reshape(self.echoes.shape)


def scan_maps(acquisition: Acquisition, wanted: Bools | None, context: Context, params: Params) -> Scan:
    """Fit a scan.

    Parameters
    ----------
    acquisition : Acquisition
        Multi-echo spin echoes, checked.
    wanted : ndarray of bool, shape (x, y, z), optional
        Regions; they and a margin are fitted. All tissue where None.
    context : Context
        Companions.
    params : Params
        Settings.

    Returns
    -------
    Scan
    """
    echoes = acquisition.payload
    assert isinstance(echoes, Echoes)
    train = Train(
        echo_spacing_s=float(echoes.echo_times_s[0]),
        n_echo=echoes.echo_times_s.size,
        skip=params.skip,
        profile=params.profile,
        t1_water_s=params.t1_water_s,
        t1_fat_s=params.t1_fat_s,
        t2_fat_s=params.fat_t2_s,
    )
    dictionary = build(train)
    values = np.asarray(echoes.values[..., params.skip :], dtype=np.float32)
    tissue, sigma = _tissue_and_noise(echoes, params)
    ratio, ratio_sd = fat_over_water(acquisition, train, params)
    known = _known(echoes, context, params, ratio)
    watery = tissue & (np.asarray(known.fat_share) < WATERY) if context.fat else tissue
    known, field_sd = _with_field(values, watery, dictionary, known, sigma, (echoes, context, params))
    fat_sd = params.fat_t2_sd_s
    fat_t2 = (
        calibrated_fat(values, tissue, train, known, sigma, slice_axis=echoes.slice_axis)
        if params.calibrate_fat and context.fat
        else None
    )
    if fat_t2 is not None:
        apart = abs(fat_t2 / train.t2_fat_s - 1.0)
        train = replace(train, t2_fat_s=fat_t2)
        dictionary, fat_sd = build(train), CALIBRATED_FAT_T2_SD_S
        if apart > FIELD_AGAIN:
            known, field_sd = _with_field(values, watery, dictionary, known, sigma, (echoes, context, params))
    places = np.flatnonzero(_around(wanted, echoes) & tissue if wanted is not None else tissue)
    own = at_places(known, places, echoes.shape)
    flat = values.reshape(-1, values.shape[3])[places]
    fitted = fit(flat, dictionary, noise_sd=sigma, known=own, threads=context.threads)
    given = context.field is not None
    return Scan(
        echoes, train, dictionary, sigma, tissue, places, own, fitted, context.fat is not None, given,
        field_sd.reshape(-1)[places], fat_sd, ratio_sd, fitted.t2_sd_s,
    )  # fmt: skip


def with_expected_sd(scan: Scan, index: npt.NDArray[np.int32]) -> Scan:
    """The scan with every voxel's SD as it is expected at the median T2 of its region.

    Parameters
    ----------
    scan : Scan
        Fitted, its fat share known.
    index : ndarray of int, shape (x, y, z)
        Region numbers; voxels of none take the median of all.

    Returns
    -------
    Scan
    """
    found, own = scan.fitted, index.reshape(-1)[scan.places]
    middle = np.full(own.size, np.nanmedian(found.t2_s) if np.isfinite(found.t2_s).any() else np.nan)
    for number in np.unique(own[own > 0]):
        inside = own == number
        held = found.t2_s[inside & np.isfinite(found.t2_s)]
        middle[inside] = np.median(held) if held.size else np.nan
    share = np.clip(np.asarray(scan.known.fat_share, dtype=np.float32), 0.0, MOST_SHARE)
    values = scan.echoes.values[..., scan.train.skip :]
    samples = np.ascontiguousarray(values.reshape(-1, values.shape[3])[scan.places], dtype=np.float32)
    known = replace(scan.known, b1=found.b1)
    sd = expected_sd(
        samples, scan.dictionary, noise_sd=scan.noise_sd, known=known, t2_s=middle, fat_share=share
    )
    return replace(scan, expected_sd_s=np.where(np.isfinite(found.t2_s), sd, np.nan).astype(np.float32))


def _with_field(
    values: Floats32,
    watery: Bools,
    dictionary: Dictionary,
    known: Known,
    sigma: float,
    about: tuple[Echoes, Context, Params],
) -> tuple[Known, Floats32]:
    """What is known, with the transmit field, and the SD of the field at every voxel."""
    echoes, context, params = about
    if context.field is not None:
        return known, np.full(echoes.shape, params.b1_map_doubt, dtype=np.float32)
    if params.b1 == "voxel":
        return known, np.zeros(echoes.shape, dtype=np.float32)
    found = local_field(
        values,
        watery,
        dictionary,
        spacing_mm=echoes.spacing_mm,
        noise_sd=sigma,
        known=known,
        threads=context.threads,
    )
    sd = np.hypot(np.minimum(found.b1_sd, 0.2), params.b1_fit_doubt).astype(np.float32)
    return replace(known, b1=found.b1, b1_sd=0.0), sd


def fat_over_water(acquisition: Acquisition, train: Train, params: Params) -> tuple[float, float]:
    """Signal of fat over water at equal density from saturation, and its relative SD; 1 without a TR."""
    repetition = acquisition.settings.get("repetition_time_s", np.nan)
    rest = repetition - train.echo_spacing_s * (train.n_echo + TR_MARGIN)
    if not rest > 0:
        return 1.0, UNKNOWN_TR_DOUBT

    def recovered(t1_s: float) -> float:
        return float(1.0 - np.exp(-rest / t1_s))

    ratio = recovered(params.t1_fat_s) / recovered(params.t1_water_s)
    other = recovered(params.t1_fat_s) / recovered(params.t1_water_s + params.t1_sd_s)
    return ratio, abs(other / ratio - 1.0)


def calibrated_fat(
    values: Floats32, tissue: Bools, train: Train, known: Known, sigma: float, *, slice_axis: int = 2
) -> float | None:
    """Median T2 of fat in voxels that are nearly all fat; None where there are too few.

    The roles are exchanged: fat is fitted, beside the little water that the fat fraction tells.
    """
    share = np.broadcast_to(np.asarray(known.fat_share), tissue.shape)
    inner = ndimage.binary_erosion(tissue, _square(slice_axis, 1))
    places = np.flatnonzero((share > NEARLY_FAT) & inner)
    if places.size < FEWEST_FAT_VOXELS:
        return None
    places = places[:: max(1, places.size // MOST_FAT_VOXELS)]
    exchanged = replace(
        train, t1_water_s=train.t1_fat_s, t1_fat_s=train.t1_water_s, t2_fat_s=ADIPOSE_WATER_T2_S
    )
    own = at_places(known, places, tissue.shape)
    turned = replace(
        own,
        fat_share=np.clip(1.0 - np.asarray(own.fat_share), 0.0, 1.0),
        fat_share_sd=0.0,
        fat_signal=1.0 / known.fat_signal,
    )
    samples = np.ascontiguousarray(values.reshape(-1, values.shape[3])[places])
    found = fit(samples, build(exchanged, t2_range_s=(0.06, 0.35)), noise_sd=sigma, known=turned).t2_s
    middle = float(np.nanmedian(found)) if np.isfinite(found).any() else np.nan
    return middle if FAT_T2_RANGE_S[0] < middle < FAT_T2_RANGE_S[1] else None


def at_places(known: Known, places: npt.NDArray[np.intp], shape: tuple[int, ...]) -> Known:
    """What is known of some voxels of a grid."""

    def own(of: npt.ArrayLike) -> npt.ArrayLike:
        array = np.asarray(of)
        return array.reshape(-1)[places] if array.shape == shape else of

    return replace(
        known,
        fat_share=own(known.fat_share),
        fat_share_sd=own(known.fat_share_sd),
        b1=own(known.b1),
        b1_sd=own(known.b1_sd),
    )


def _tissue_and_noise(echoes: Echoes, params: Params) -> tuple[Bools, float]:
    """The body from the first echoes, and the noise from the background of the last."""
    last = echoes.slice_axis
    bright = np.moveaxis(echoes.values[..., :2].max(axis=3), last, 2).astype(np.float32)
    dark = np.moveaxis(echoes.values[..., -1], last, 2).astype(np.float32)
    tissue = body(bright)
    sigma = params.noise_sd or noise_sd(
        dark, ndimage.binary_dilation(tissue, np.ones((3, 3, 1), dtype=bool)), tissue
    )
    tissue &= bright > TISSUE_IN_NOISE * sigma
    return np.moveaxis(tissue, 2, last), float(sigma)


def _known(echoes: Echoes, context: Context, params: Params, ratio: float) -> Known:
    known = Known(fat_signal=ratio)
    if context.fat is not None:
        share, sd = grids.fat_fraction(context.fat, echoes, params.registration_mm)
        known = replace(known, fat_share=share, fat_share_sd=sd)
    if context.field is not None:
        b1 = grids.transmit_field(context.field, echoes)
        known = replace(known, b1=np.clip(b1, *B1_RANGE), b1_sd=0.0)
    elif params.b1 == "voxel":
        known = replace(known, b1=1.0, b1_sd=FREE)
    return known


def _around(wanted: Bools, echoes: Echoes) -> Bools:
    near = ndimage.maximum_filter(wanted, footprint=_square(echoes.slice_axis, MARGIN))
    return np.asarray(near, dtype=bool)


def _square(slice_axis: int, reach: int) -> Bools:
    """In-plane neighbours within a square."""
    return np.ones([1 if axis == slice_axis else 2 * reach + 1 for axis in range(3)], dtype=bool)
