"""Faults injected into stages: a seeded tenth of them; FERNN_FAULTS=all tries all."""
