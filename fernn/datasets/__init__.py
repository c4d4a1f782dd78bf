"""Data sets in motion: recipes of sequences and their rendering."""
