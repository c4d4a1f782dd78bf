"""The report: one page that says whether the paper reproduces, and where each of its numbers comes from."""
