"""`fernn export`: a scale's results as one archive for others, a Workflow Run RO-Crate (docs/archive.md)."""
