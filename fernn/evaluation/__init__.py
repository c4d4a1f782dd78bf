"""What is measured of a trained model."""

# The form of results.csv is here, so that those who read it do not depend on how models are loaded and run.
COLUMNS = ("test", "measure", "index", "value")
Measures = dict[tuple[str, str], float]  # of one test, by measure and index; "" indexes a measure of the whole test


def velocity_index(velocity: tuple[int, int] | float) -> str:
    """A velocity as the index of a measure: "1 -2" for (vx, vy), "30" for 30 degrees per frame."""
    return " ".join(f"{part:g}" for part in (velocity if isinstance(velocity, tuple) else (velocity,)))
