"""Flow equivariant recurrent neural networks: the library and the pipeline that reproduces the paper."""

import sys

from fernn import sources

__version__ = "0.1.0"

sources.install(sys._getframe().f_code)
