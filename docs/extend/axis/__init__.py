"""Digits that move along one axis: an experiment of your own, which joins Table 1."""
