"""Faults injected into every stage. `make test-faults` tries all of them, other targets a seeded tenth."""
