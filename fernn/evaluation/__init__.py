"""What is measured of a trained model."""

# The form of results.csv is here, so that those who read it do not depend on how models are loaded and run.
COLUMNS = ("test", "measure", "index", "value")
Measures = dict[tuple[str, str], float]  # of one test, by measure and index; "" indexes a measure of the whole test
