"""Experiment `collision`: digits that exchange velocities (not from the paper; docs/collision.md)."""
