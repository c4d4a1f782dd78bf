"""What the experiments with flowing digits have in common: A, translation, and B, rotation (paper, Section 5.1)."""
