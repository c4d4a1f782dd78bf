"""Digits that grow and shrink: an experiment of your own, which joins Table 1."""
