"""Figures: which there are, their common look, drawing and writing them."""
