"""A scale's results as one archive for others: a Workflow Run RO-Crate (docs/archive.md).

contents says which files go in, terms under which terms pictures of others are, provenance how the results came about;
crate makes the metadata of these, archive the zip file.
"""

from fernn.pipeline.export.writing import export

__all__ = ["export"]
