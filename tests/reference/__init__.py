"""The paper's equations as they stand: what tests hold the library to, and what benchmarks measure it against."""
