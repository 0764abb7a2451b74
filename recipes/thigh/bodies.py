"""What a thigh holds beside the eleven muscles: other muscles, vessels, nerves and bones, by height."""

import numpy as np

FAT, MUSCLE, VESSEL, BONE = 0.0, 1.0, 2.0, 3.0
COLUMNS = 10
"""Row, column (mm), inverse half axes turned (4), kind, logit, brightness, mean half axis (mm)."""
OTHERS = (
    # name, from height, to height, row, column (radii; front, lateral negative), half axes, turn, chance
    ("adductor_longus", 0.42, 9, -0.22, 0.42, 0.14, 0.30, 0.5, 0.95),
    ("adductor_brevis", 0.60, 9, 0.02, 0.36, 0.13, 0.30, 0.3, 0.9),
    ("pectineus", 0.74, 9, -0.30, 0.18, 0.16, 0.26, 0.4, 0.9),
    ("iliopsoas", 0.80, 9, -0.35, -0.05, 0.18, 0.22, 0.0, 0.9),
    ("gluteus_maximus", 0.52, 9, 0.68, -0.38, 0.26, 0.85, -0.45, 0.95),
    ("gluteus_maximus_deep", 0.75, 9, 0.62, 0.10, 0.30, 0.65, -0.1, 0.8),
    ("tensor_fasciae_latae", 0.62, 9, -0.50, -0.72, 0.12, 0.28, -0.8, 0.9),
    ("quadratus_femoris", 0.86, 9, 0.24, 0.12, 0.13, 0.34, 0.0, 0.85),
    ("hamstring_origin", 0.70, 9, 0.50, 0.22, 0.13, 0.20, 0.0, 0.7),
    ("gluteus_medius", 1.05, 9, 0.0, -0.75, 0.40, 0.20, 0.2, 0.85),
    ("sartorius_above", 1.05, 9, -0.85, -0.05, 0.10, 0.18, 0.3, 0.9),
    ("rectus_femoris_above", 1.05, 9, -0.62, -0.32, 0.16, 0.18, 0.0, 0.9),
    ("obturator", 1.05, 9, 0.15, 0.55, 0.16, 0.35, 0.3, 0.9),
    ("gastrocnemius_medial", -9, 0.10, 0.62, 0.30, 0.20, 0.30, 0.0, 0.8),
    ("gastrocnemius_lateral", -9, 0.08, 0.62, -0.25, 0.18, 0.26, 0.0, 0.7),
)
"""Rough places after anatomical atlases; only what lies outside labels and bones is painted."""
VESSELS = (
    ("femoral", 0.15, 9, -0.15, 0.42, 0.05),
    ("femoral_vein", 0.15, 9, -0.10, 0.47, 0.06),
    ("deep", 0.4, 0.9, 0.10, 0.18, 0.04),
    ("popliteal", -9, 0.2, 0.42, 0.05, 0.07),
    ("saphenous", -9, 9, -0.05, 0.98, 0.03),
)
FEMUR_HEAD = 1.05
"""From this height on the femur is its head and neck, and the hip bone is in view."""


def drawn(
    rng: np.random.Generator, height: float, radius: float, logits: np.ndarray, bone: np.ndarray
) -> np.ndarray:
    """Bodies of one slice, shape (n, COLUMNS); places are in the template's mm, from the thigh's middle."""
    rows = []
    drift = rng.normal(0, 0.05, 2)
    mean = float(logits.mean())
    for _, low, high, row, column, half_row, half_column, turn, chance in OTHERS:
        if not low <= height + rng.normal(0, 0.05) <= high or rng.random() > chance:
            continue
        grown = min(1.0, 0.55 + 1.6 * (height - low)) if low > 0 else 1.0
        where = np.array([row, column]) + drift + rng.normal(0, 0.07, 2)
        half = np.array([half_row, half_column]) * grown * np.exp(rng.normal(0, 0.2, 2))
        logit = mean + rng.normal(0, 1.1)
        rows.append(_body(where * radius, half * radius, turn + rng.normal(0, 0.2), MUSCLE, logit,
                          float(np.exp(rng.normal(0, 0.12)))))  # fmt: skip
    for _, low, high, row, column, half in VESSELS:
        if not low <= height <= high or rng.random() > 0.8:
            continue
        where = (np.array([row, column]) + drift + rng.normal(0, 0.06, 2)) * radius
        size = np.maximum(half * radius * np.exp(rng.normal(0, 0.3, 2)), 1.2)
        rows.append(_body(where, size, rng.uniform(0, 3), VESSEL, 0.0, float(rng.choice([0.1, 0.5, 1.3]))))
    nerve = np.array([0.38, -0.02 if height > 0.2 else 0.1]) + rng.normal(0, 0.07, 2)
    rows.append(_body(nerve * radius, rng.uniform([1.5, 2.5], [3.0, 6.0]), rng.uniform(0, 3), MUSCLE,
                      rng.uniform(-1, 1), rng.uniform(0.6, 1.0)))  # fmt: skip
    if height > 0.93 and rng.random() < 0.8:
        hip = np.array([0.42, 0.42]) + rng.normal(0, 0.08, 2)
        rows.append(_body(hip * radius, rng.uniform(9, 22, 2), rng.uniform(0, 3), BONE, 0.0, 1.0))
    if height > FEMUR_HEAD and rng.random() < 0.7:
        pubis = np.array([-0.25, 0.85]) + rng.normal(0, 0.1, 2)
        rows.append(_body(pubis * radius, rng.uniform(7, 20, 2), rng.uniform(0, 3), BONE, 0.0, 1.0))
    if height > FEMUR_HEAD and rng.random() < 0.8:
        neck = bone[:2] + np.array([rng.normal(0, 5), -rng.uniform(10, 28)])
        rows.append(_body(neck, rng.uniform([11, 14], [18, 26]), rng.uniform(0, 3), BONE, 0.0, 1.0))
    if height < 0.1 and rng.random() < 0.5:
        rows.append(_body(np.array([-0.88, 0.0]) * radius, rng.uniform([4, 10], [9, 22]), rng.normal(0, 0.2),
                          BONE, 0.0, 1.0))  # fmt: skip
    rows += [_anywhere(rng, radius, mean) for _ in range(rng.poisson(1.5))]
    return np.array(rows, np.float32)


def scattered(rng: np.random.Generator, radius: float, mean: float) -> np.ndarray:
    """Bodies anywhere: what no atlas would say, so that nothing is learnt by heart."""
    return np.array([_anywhere(rng, radius, mean) for _ in range(rng.integers(4, 18))], np.float32)


def _anywhere(rng: np.random.Generator, radius: float, mean: float) -> np.ndarray:
    where = rng.uniform(-1.05, 1.05, 2) * radius
    vessel = rng.random() < 0.15
    half = rng.uniform(1.0, 4.0, 2) if vessel else rng.uniform(0.08, 0.4, 2) * radius
    bright = float(rng.choice([0.1, 0.5, 1.3])) if vessel else float(np.exp(rng.normal(0, 0.12)))
    kind = VESSEL if vessel else MUSCLE
    return _body(where, half, rng.uniform(0, 3.2), kind, mean + rng.normal(0, 1), bright)


def _body(where, half, turn: float, kind: float, logit: float, bright: float) -> np.ndarray:
    c, s = np.cos(turn), np.sin(turn)
    return np.array([where[0], where[1], c / half[0], s / half[0], -s / half[1], c / half[1], kind, logit,
                     bright, np.sqrt(half[0] * half[1])])  # fmt: skip
