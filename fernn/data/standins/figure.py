"""A figure of limbs that performs the six actions: where each limb is, frame by frame.

Lengths are in body heights; x goes forward, or to the right in a front view, y up from the ground; an angle is that of
a limb against hanging straight down, positive forward.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]  # (T,) a number, or (T, 2) a point, for each frame

THIGH, SHANK, FOOT = 0.245, 0.245, 0.09
UPPER_ARM, FOREARM = 0.165, 0.17
TORSO, NECK = 0.30, 0.13  # hip to shoulder, shoulder to the centre of the head


class Limb(NamedTuple):
    """A capsule from `a` to `b` (T, 2) with a radius at each end (T,), or one for all frames, in a tone of its own."""

    a: Series
    b: Series
    radius_a: Series | float
    radius_b: Series | float
    tone: str


@dataclass(frozen=True)
class Gait:
    """Angles in radians; `period` in frames of a double step at 25 frames/s; lengths in body heights."""

    period: float
    stride: float  # the way of a double step
    hip: float  # how far a thigh swings to each side
    knee: float  # how far it is bent when it swings forward
    arm: float
    elbow: float
    lean: float
    flight: float  # how high both feet are above the ground when the legs are spread


GAITS = {
    "walking": Gait(27.0, 0.68, hip=0.40, knee=0.80, arm=0.35, elbow=0.15, lean=0.03, flight=0.0),
    "jogging": Gait(19.0, 0.76, hip=0.50, knee=1.45, arm=0.45, elbow=1.35, lean=0.13, flight=0.05),
    "running": Gait(15.0, 1.02, hip=0.80, knee=1.95, arm=0.85, elbow=1.55, lean=0.28, flight=0.09),
}
PERIODS = {"boxing": 24.0, "handwaving": 28.0, "handclapping": 17.0}  # frames


def pose(action: str, phase: Series, swing: float) -> list[Limb]:
    """The limbs of a figure, from the farthest to the nearest.

    Args:
        action: one of the six.
        phase: (T,) radians; 2 pi is one period of the action.
        swing: how far it reaches, 1 for the ordinary figure.
    """
    return POSES[action](action, phase, swing)


def _gait(action: str, phase: Series, swing: float) -> list[Limb]:
    gait = GAITS[action]
    lean = np.full_like(phase, gait.lean)
    hip = np.zeros((len(phase), 2))
    near, far = (_leg(gait, phase + turn, swing) for turn in (0.0, np.pi))
    # the lower foot stands on the ground, except in flight
    lowest = np.minimum(*(np.minimum(ankle[:, 1], toe[:, 1]) for _, ankle, toe in (near, far)))
    hip[:, 1] = 0.02 - lowest + gait.flight * np.maximum(0.0, -np.cos(2 * phase))
    shoulder = hip + np.stack([np.sin(lean), np.cos(lean)], axis=1) * TORSO
    arms = []
    for turn in (np.pi, 0.0):  # an arm swings against the leg of its side
        upper = gait.arm * swing * np.sin(phase + np.pi + turn) - 0.1
        arms.append(_arm(shoulder, shoulder + _limb(upper, UPPER_ARM), upper + gait.elbow))
    legs = [_leg_limbs(hip + knee, hip + ankle, hip + toe, hip) for knee, ankle, toe in (far, near)]
    return [*arms[0], *legs[0], *legs[1], *_trunk(hip, shoulder, 0.085), *arms[1]]


def _leg(gait: Gait, phase: Series, swing: float) -> tuple[Series, Series, Series]:
    """Knee, ankle and toe against the hip."""
    thigh = 0.06 + gait.lean * 0.5 + gait.hip * swing * np.sin(phase)
    bend = 0.12 + gait.knee * np.maximum(0.0, np.cos(phase + 0.35)) ** 1.5
    knee = _limb(thigh, THIGH)
    ankle = knee + _limb(thigh - bend, SHANK)
    return knee, ankle, ankle + _limb(thigh - bend + 1.45, FOOT)


def _front(action: str, phase: Series, swing: float) -> list[Limb]:
    """Handwaving and handclapping, seen from the front: to the camera the two sides mirror each other."""
    hip = np.zeros((len(phase), 2))
    hip[:, 0] = 0.006 * np.sin(phase / 2)
    hip[:, 1] = 0.51
    chest = hip + _at(0.0, TORSO)
    limbs, arms = [], []
    for side in (-1, 1):
        ankle = np.broadcast_to(_at(side * 0.085, 0.03), hip.shape)
        knee = (hip + ankle) / 2 + _at(side * 0.015, 0.0)
        limbs += _leg_limbs(knee, ankle, ankle + _at(side * 0.025, -0.012), hip + _at(side * 0.045, 0.0))
        shoulder = chest + _at(side * 0.115, -0.01)
        if action == "handwaving":  # stretched arms, from below the shoulders to above the head and back
            angle = 1.85 - swing * 0.95 * np.cos(phase)
            elbow = shoulder + _limb(side * angle, UPPER_ARM)
            arms += _arm(shoulder, elbow, side * (angle + 0.18))
        else:  # hands meet before the breast; the arms come towards the camera, hence look shorter than they are
            apart = swing * (0.5 - 0.5 * np.cos(phase)) ** 0.8
            elbow = shoulder + np.stack([side * (0.02 + 0.07 * apart), -0.155 + 0.03 * apart], axis=1)
            hand = chest + np.stack([side * (0.02 + 0.25 * apart), -0.06 + 0.02 * apart], axis=1)
            arms += _arm_limbs(shoulder, elbow, hand)
    return [*limbs, *_trunk(hip, chest, 0.115), *arms]


def _boxing(action: str, phase: Series, swing: float) -> list[Limb]:
    """Seen from the side: one fist guards while the other strikes."""
    hip = np.stack([0.012 * np.sin(2 * phase), 0.475 + 0.008 * np.cos(2 * phase)], axis=1)
    lean = 0.10 + 0.05 * np.sin(2 * phase)
    shoulder = hip + np.stack([np.sin(lean), np.cos(lean)], axis=1) * TORSO
    legs, arms = [], []
    for foot, turn, way in ((-0.15, 0.0, 0.02), (0.14, np.pi, -0.02)):
        ankle = np.broadcast_to(_at(foot, 0.03), hip.shape)
        knee = (hip + ankle) / 2 + _at(0.035, 0.01)
        legs.append(_leg_limbs(knee, ankle, ankle + _at(FOOT, -0.012), hip))
        strike = np.maximum(0.0, np.sin(phase + turn)) ** 1.3
        fist = shoulder + np.stack([0.10 + 0.25 * min(swing, 1.1) * strike, -0.02 + 0.03 * strike], axis=1)
        arms.append(_reach(shoulder + _at(way, 0.0), fist))
    return [*arms[0], *legs[0], *legs[1], *_trunk(hip, shoulder, 0.095), *arms[1]]


POSES: dict[str, Callable[[str, Series, float], list[Limb]]] = {
    **dict.fromkeys(GAITS, _gait),
    "handwaving": _front,
    "handclapping": _front,
    "boxing": _boxing,
}


def _limb(angle: Series, length: float) -> Series:
    return np.stack([np.sin(angle), -np.cos(angle)], axis=-1) * length


def _at(x: float, y: float) -> Series:
    return np.array([x, y])


def _trunk(hip: Series, shoulder: Series, radius: float) -> list[Limb]:
    up = (shoulder - hip) / TORSO
    head = shoulder + up * NECK
    return [
        Limb(hip + up * 0.02, shoulder - up * radius * 0.55, radius * 0.9, radius, "shirt"),
        Limb(shoulder, head, 0.03, 0.035, "skin"),
        Limb(head, head + up * 0.02, 0.058, 0.06, "skin"),
        Limb(head + up * 0.035, head + up * 0.045, 0.05, 0.05, "hair"),
    ]


def _leg_limbs(knee: Series, ankle: Series, toe: Series, hip: Series) -> list[Limb]:
    return [
        Limb(hip, knee, 0.062, 0.045, "trousers"),
        Limb(knee, ankle, 0.045, 0.032, "trousers"),
        Limb(ankle, toe, 0.03, 0.022, "shoes"),
    ]


def _arm(shoulder: Series, elbow: Series, forearm: Series) -> list[Limb]:
    return _arm_limbs(shoulder, elbow, elbow + _limb(forearm, FOREARM))


def _reach(shoulder: Series, hand: Series) -> list[Limb]:
    """An arm whose hand is at `hand`, before the shoulder, or as near as it gets; the elbow gives way downwards."""
    way = hand - shoulder
    distance = np.clip(np.hypot(way[:, 0], way[:, 1]), 0.04, UPPER_ARM + FOREARM - 1e-3)
    cosine = (UPPER_ARM**2 + distance**2 - FOREARM**2) / (2 * UPPER_ARM * distance)
    angle = np.arctan2(way[:, 1], way[:, 0]) - np.arccos(np.clip(cosine, -1, 1))
    elbow = shoulder + np.stack([np.cos(angle), np.sin(angle)], axis=1) * UPPER_ARM
    rest = hand - elbow
    return _arm_limbs(shoulder, elbow, elbow + rest / np.hypot(rest[:, 0], rest[:, 1])[:, None] * FOREARM)


def _arm_limbs(shoulder: Series, elbow: Series, hand: Series) -> list[Limb]:
    return [
        Limb(shoulder, elbow, 0.042, 0.035, "sleeves"),
        Limb(elbow, hand, 0.034, 0.028, "sleeves"),
        Limb(hand, hand + (hand - elbow) * 0.12, 0.033, 0.033, "skin"),
    ]
