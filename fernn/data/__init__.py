"""Source data: verified downloads, and readers of their formats."""
