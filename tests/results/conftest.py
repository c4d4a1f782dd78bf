import pytest

from fernn.layout import Layout
from tests.results.tree import small_params, write_tree


@pytest.fixture
def params():
    return small_params()


@pytest.fixture
def layout(tmp_path, params):
    layout = Layout("quick", tmp_path)
    write_tree(layout, params)
    return layout
