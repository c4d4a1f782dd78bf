"""What was measured: a GPU's pace for each model at scale paper (docs/gpu.md), a CPU core's speed at scale small."""

from fernn.pipeline.preflight.operations import Speed

DEVICE = "an NVIDIA H200"
# Of each model, the measured time of a training step over the one that is counted at this speed. It tells what no count
# does: maps that stay in the card's cache, kernels that wait for their launch (the small ones of KTH), the precision.
COUNTED = Speed(100e12, 1.5e12)
PACES = {
    ("translation", "G-RNN"): 0.55,
    ("translation", "FERNN-V1T"): 0.42,
    ("translation", "FERNN-V2T"): 0.39,
    ("rotation", "G-RNN"): 0.44,
    ("rotation", "FERNN-V2R"): 0.61,
    ("rotation", "FERNN-V4R"): 0.67,
    ("kth", "3D-CNN"): 6.0,
    ("kth", "G-RNN"): 0.92,
    ("kth", "G-RNN+"): 1.03,
    ("kth", "FERNN-V1T"): 0.48,
    ("kth", "FERNN-V2T"): 0.43,
}
MEASURED = Speed(
    COUNTED.operations,
    COUNTED.moved,
    PACES,
    DEVICE,
    f"go by what steps of scale paper took on {DEVICE} (docs/gpu.md)",
)
# At these two the finished trainings of scale small (evidence/small) are reckoned at 0.6 to 1.4 times what they took.
CORE = Speed(
    80e9,
    9e9,
    device="a core of an AMD EPYC",
    source="go by what runs of scale small took on a core of an AMD EPYC (docs/evidence.md)",
    unit="core",
)


def speed_of(rate: float | None, bandwidth: float | None) -> Speed:
    """The speed that a plan goes by: that of the measured card, unless another one is named.

    Args:
        rate: tera-operations per second.
        bandwidth: terabytes per second to and from memory.
    """
    if rate is None and bandwidth is None:
        return MEASURED
    return Speed(
        COUNTED.operations if rate is None else rate * 1e12, COUNTED.moved if bandwidth is None else bandwidth * 1e12
    )
