"""Experiment C: moving KTH, action recognition (paper, Section 5.2, Table 2, Figure 5)."""
