"""Constants of the Dixon phantom, each with its source; what has none is called a proposal."""

from typing import Final

MUSCLES: Final = (
    "sartorius",
    "rectus_femoris",
    "vastus_lateralis",
    "vastus_intermedius",
    "vastus_medialis",
    "adductor_magnus",
    "gracilis",
    "biceps_femoris_long_head",
    "semitendinosus",
    "semimembranosus",
    "biceps_femoris_short_head",
)
"""Labels 1-11, the order of the public Huashan thigh masks (scheme ``huashan11``)."""

STRUCTURES: Final = (*MUSCLES, "other_muscle", "femur", "artery", "vein")
"""Everything that competes for room inside the fascia lata; the first eleven are labelled."""

# --- anatomy ------------------------------------------------------------------------------------------------
SIZE_MEDIAN: Final = 0.92
"""Size of the median thigh against the drawn one. Proposal: puts the summed area of the eleven muscles in the
middle of what public label maps show (36-176 cm2, mean over the slices that hold all eleven)."""
SIZE_SD: Final = 0.07
"""SD of log size. Proposal."""
ASPECT_SD: Final = 0.04
"""SD of log width against depth. Proposal."""
ROTATION_SD_RAD: Final = 0.12
"""SD of the leg's rotation about its axis. Proposal."""
NODE_SD_MM: Final = 1.2
"""SD of a muscle's shift within the thigh. Proposal."""
MUSCLE_SIZE_SD: Final = 0.07
"""SD of the log radius of one muscle against the whole. Proposal."""
WARP_SD_MM: Final = 1.1
"""SD of the smooth displacement that makes contours irregular. Proposal."""
WARP_LENGTH_MM: Final = (22.0, 22.0, 70.0)
"""Length of that displacement in plane and along the leg. Proposal."""
CORTEX_MM: Final = (3.0, 4.0, 5.5, 6.0, 6.0, 5.5)
"""Thickness of the femoral cortex at the six drawn levels. Proposal (thinner at the knee)."""
CONTACT_GAP_MM: Final = 1.2
"""Width of the sheet between two muscles that touch (two epimysia). Proposal."""
EPIMYSIUM_MM: Final = 0.7
"""Dark rim around a muscle that borders fat. Proposal; seen as the dark line around muscles on fat images."""
FASCIA_MARGIN_MM: Final = 1.5
"""From the convex outline of the muscles to the fascia lata. Proposal."""
SUBCUTANEOUS_MEDIAN_MM: Final = 8.0
"""Median thickness of subcutaneous fat. Proposal."""
SUBCUTANEOUS_SD: Final = 0.35
"""SD of its logarithm. Proposal."""
SKIN_MM: Final = 1.8
"""Thickness of the skin. Proposal."""

# --- fat ----------------------------------------------------------------------------------------------------
ADIPOSE_FAT_FRACTION: Final = 0.937
"""Fat fraction of adipose tissue assumed by fat-referenced Dixon (AMRA; muscle fat infiltration)."""
INTERMUSCULAR_FAT_FRACTION: Final = 0.85
"""Fat between muscles, fascia included. Proposal."""
MARROW_FAT_FRACTION: Final = 0.88
"""Yellow marrow of the femoral shaft. Proposal."""
EPIMYSIUM_FAT_FRACTION: Final = 0.15
"""Proposal."""
OTHER_MUSCLE_FAT_FRACTION: Final = 0.10
"""Proposal."""
PUBLISHED_FAT_FRACTION: Final = (
    0.1828,
    0.5370,
    0.3092,
    0.3434,
    0.3005,
    0.6488,
    0.2353,
    0.6398,
    0.6494,
    0.6176,
    0.4183,
)
"""Fat fractions of one muscular dystrophy patient, in the order of MUSCLES: posterior and adductor
muscles first, sartorius and gracilis spared. Source: public result table of Thigh_001,
Hirriririir/Rapid-automatic-fat-quantification-for-thigh-muscle-degeneration (Apache-2.0)."""
DYSTROPHY_SHIFT: Final = (-0.4, 1.1)
"""Mean and SD over patients of the shift of those fat fractions on the logit scale. Proposal."""
DYSTROPHY_MUSCLE_SD: Final = 0.6
"""SD over muscles of one patient, logit scale. Proposal."""
DYSTROPHY_RANGE: Final = (0.02, 0.80)
"""Fat fractions drawn for dystrophy are kept within this. Proposal."""
ALS_FAT_FRACTION: Final = (0.045, 0.35)
"""Median and log SD of muscle fat fraction in ALS: near normal. Proposal, after Klickovic 2019 (Neurology
93:e895), where fat fraction in ALS stays near that of controls."""
ATROPHY_ALS: Final = (0.90, 0.06)
"""Mean and SD of the radius of an ALS muscle against normal. Proposal."""
ATROPHY_DYSTROPHY: Final = (0.97, 0.15)
"""Radius against normal at fat fraction 0, and its fall per unit of fat fraction. Proposal."""
GRADIENT_SD_LOGIT: Final = 0.5
"""SD of the change of fat fraction from knee to hip, logit scale. Proposal."""

# --- image --------------------------------------------------------------------------------------------------
FINE: Final = 3
"""Fine voxels per acquired voxel along each in-plane axis, and sub-slices per slice."""
FAT_SIGNAL_RATIO: Final = 1.1
"""Signal of pure fat against pure muscle water. Proposal: small flip angle, little T1 weighting."""
MUSCLE_WATER: Final = 1000.0
"""Signal of fat-free muscle, scanner units (int16-like)."""
EPIMYSIUM_SIGNAL: Final = 0.3
"""Collagen is dark (short T2*), relative to muscle. Proposal."""
CORTEX_SIGNAL: Final = 0.03
"""Cortical bone, relative to muscle. Proposal."""
SKIN_SIGNAL: Final = 0.5
"""Relative to muscle. Proposal."""
ARTERY_SIGNAL: Final = 0.35
"""Flowing blood, relative to muscle. Proposal."""
VEIN_SIGNAL: Final = 1.2
"""Slow blood, relative to muscle. Proposal."""
COIL_SD: Final = 0.12
"""SD of the log receive field over the leg. Proposal."""
COIL_LENGTH_MM: Final = 90.0
"""Length of the receive field's variation. Proposal."""
