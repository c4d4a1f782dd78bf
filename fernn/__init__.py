"""Flow equivariant recurrent neural networks: the library and the pipeline that reproduces the paper."""

__version__ = "0.1.0"
