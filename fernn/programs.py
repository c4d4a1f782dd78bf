"""Programs that are asked for what they know: those of Slurm, of a GPU's driver, DVC."""

import subprocess


def answer(*command: str, seconds: float = 60) -> str | None:
    """What a program says; None if it is not there, fails, or does not answer soon."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None
