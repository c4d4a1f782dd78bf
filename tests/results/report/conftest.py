"""Pages of made-up results."""

from pathlib import Path

import pytest
from PIL import Image

from fernn.layout import Layout
from fernn.params import Params
from fernn.pipeline.jobs import Jobs
from fernn.provenance.records import Record, write_record
from fernn.results.report.page import write_report
from tests.results.kth_tree import kth_params, write_kth
from tests.results.made import figure_names, write_tables
from tests.results.tree import small_params, write_tree


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of experiments with flowing digits."""
    params = small_params(experiments=("translation", "rotation"))
    layout = Layout("quick", tmp_path_factory.mktemp("digits"))
    write_tree(layout, params)
    return make_page(params, layout)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of an experiment with stand-ins for videos, and a search for the learning rate."""
    params, layout = kth_params(), Layout("quick", tmp_path_factory.mktemp("videos"))
    write_kth(layout, params)
    return make_page(params, layout)


def make_page(params: Params, layout: Layout) -> Path:
    """Tables, pictures in place of figures, records of data sets as their stage leaves them, and the page."""
    write_tables(params, layout)
    for number, name in enumerate(figure_names(params)):
        layout.figure(name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (1000, 600), (number, 99, 150)).save(layout.figure(name), Path(name).suffix[1:])
    jobs = Jobs(params, layout)
    for job in jobs.of("dataset").values():
        record = Record(
            stage=job.stage, name=job.name, scale=params.scale, inputs=job.inputs, lineage="", files={}, outputs={},
            started="", ended="", environment={}, details={},
        )  # fmt: skip
        write_record(job.record, record)
    write_report(layout, jobs.find("report").inputs)
    return layout.report()
