"""Measurements of the library against a plain implementation of the same thing; `python -m benchmarks` runs them."""
