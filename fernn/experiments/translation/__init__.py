"""Experiment A: flowing MNIST, translation (paper, Section 5.1, Table 1, Figures 2-4)."""
