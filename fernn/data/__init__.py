"""The data as it comes: downloads that are checked, and readers of their formats."""
