"""A file of claims, made up."""

import yaml

ORDER = {"experiment": "translation", "flow": "V2T", "better": "FERNN-V2T", "worse": "G-RNN", "measure": "test_mse"}
ORDER |= {"source": "ours", "secondary": False}


def written(folder, **content):
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({"level": 0.05, **content}))
    return path
