"""Experiment C: moving KTH, action recognition (paper, Section 4.2, Table 2, Figure 5)."""
