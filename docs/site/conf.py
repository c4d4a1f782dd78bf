"""The site of these pages: `make docs`. Nothing in it comes from elsewhere, neither script nor font."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # mathml, docstrings
sys.path.insert(0, str(Path(__file__).parents[2]))  # the library of this checkout

from fernn import __version__

project = "FERNN"
author = "The FERNN reproducibility pipeline authors"
version = release = __version__
html_title = "Flow equivariant recurrent neural networks"
html_last_updated_fmt = None  # the same pages whenever they are built
html_show_sourcelink = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docstrings", "mathml"]
exclude_patterns = ["site"]
html_theme = "furo"
html_math_renderer = "mathml"

# what GitHub reads too: $...$, ```math, and #some-heading
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3

nitpicky = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_use_rtype = False
default_role = "code"  # `name` in a docstring
python_use_unqualified_type_names = True
