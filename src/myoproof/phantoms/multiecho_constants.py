"""Constants of the multi-echo phantom, each with its source; what has none is called a proposal."""

from typing import Final

from myoproof.phantoms import dixon_constants as const

# --- physics ------------------------------------------------------------------------------------------------
GYROMAGNETIC_MHZ_PER_T: Final = 42.577478
"""Proton gyromagnetic ratio over 2 pi, CODATA."""
FAT_PEAKS_PPM: Final = (-3.80, -3.40, -2.60, -1.94, -0.39, 0.60)
FAT_PEAKS_SHARE: Final = (0.087, 0.693, 0.128, 0.004, 0.039, 0.048)
"""Six-peak spectrum of fat against water. Hamilton et al., NMR Biomed 2011;24:784, as used by the ISMRM 2012
fat-water challenge; the shares add to 0.999 and are used as parts of their sum."""
GLYCERIDE_PPM: Final = (5.30, 5.20, 4.20, 2.75, 2.24, 2.02, 1.60, 1.30, 0.90)
"""Peaks of triglyceride on the absolute scale. Hamilton et al. 2011, table 1 (rounded)."""
WATER_PPM: Final = 4.70
"""Water at body temperature, same source."""

# --- protocol -----------------------------------------------------------------------------------------------
ECHO_TIMES_S: Final = (0.00115, 0.00211, 0.00307, 0.00403, 0.00499, 0.00595)
"""Six echoes from 1.15 ms every 0.96 ms at 3 T, a common protocol."""

# --- relaxation ---------------------------------------------------------------------------------------------
T1_WATER_S: Final = 1.420
T1_FAT_S: Final = 0.371
"""Muscle water and fat at 3 T. Gold et al., AJR 2004;183:343 (1420 and 371 ms)."""
T1_BLOOD_S: Final = 1.93
"""Blood at 3 T. Stanisz et al., Magn Reson Med 2005;54:507."""
R2STAR_MUSCLE_PER_S: Final = (25.0, 60.0)
"""Range of muscles. Proposal, after common values at 3 T."""
R2STAR_TEXTURE: Final = 0.10
"""SD of log R2* within a muscle. Proposal."""
R2STAR_PER_S: Final = {
    "other_muscle": 35.0, "femur": 300.0, "artery": 20.0, "vein": 25.0, "marrow": 100.0, "epimysium": 150.0,
    "between": 60.0, "subcutaneous": 45.0, "skin": 80.0,
}  # fmt: skip
"""Other tissue. Proposals; cortical bone is capped, it has no signal to speak of."""

# --- field --------------------------------------------------------------------------------------------------
SUSCEPTIBILITY_PPM: Final = {"air": 9.4, "fat": 0.65, "bone": -2.0}
"""Against muscle (water -9.05 ppm, air 0.36, fat about -8.4, cortical bone about -11). Schenck, Med Phys
1996;23:815; bone is a proposal within the published range."""
TILT_RAD: Final = (0.20, 0.08)
"""Mean and SD of the angle between leg and main field; sets how far skin, bone and air disturb. Proposal."""
FIELD_LENGTH_MM: Final = (110.0, 110.0, 150.0)
"""Length of the smooth field left by shimming. Proposal."""
COIL_PHASE_RAD: Final = 1.2
"""SD of the smooth initial phase over the image. Proposal."""
COIL_PHASE_LENGTH_MM: Final = 160.0
"""Length of its variation. Proposal."""
B1_LENGTH_MM: Final = 150.0
"""Length of the variation of the transmit field. Proposal."""
REFERENCE_SIGNAL: Final = const.MUSCLE_WATER
"""Signal of fat-free muscle at echo time 0 under its nominal T1, flip angle and receive field."""
