"""What YAML lets pass in silence is an error of one line that names the place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fernn.errors import FernnError
from fernn.params.document import read_yaml


def read(folder: Path, content: str | bytes):
    file = folder / "params.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_yaml(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: 1\nb: {c: 1, d: 2, c: 3}\n", "line 2: the key c stands here a second time, first on line 2; keep one."),
        ("scales:\n  quick: 1\n  quick: 2\n", "line 3: the key quick stands here a second time, first on line 2"),
        ("a: [{b: 1, b: 1}]", "line 1: the key b stands here"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n", "line 4: the key << stands here a second time, first on line 3"),
        ("1: a", "line 1: the key 1 is no text to YAML; write '1'."),
        ("yes: a", "line 1: the key yes is no text to YAML; write 'yes'."),
        ("? [a]\n: b", "is no text to YAML"),
        ("a: 010", "line 1: YAML takes 010 for 8; write that, or '010' for a text."),
        ("a: 1:30", "line 1: YAML takes 1:30 for 90; write that, or '1:30' for a text."),
        ("a: 1:30.5", "line 1: YAML takes 1:30.5 for 90.5"),
        ("a: 0x1F", "line 1: YAML takes 0x1F for 31"),
        ("a: 0b11", "line 1: YAML takes 0b11 for 3"),
        ("a: 1_000", "line 1: YAML takes 1_000 for 1000"),
        ("a: 1_000.5", "line 1: YAML takes 1_000.5 for 1000.5"),
        ("a: [1", "line 1: expected ',' or ']'"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor for the tag"),
        ("a: *b", "line 1: found undefined alias 'b'."),
        ("a: \x01", "not YAML"),
        (b"a: \xff", "byte 3 is 0xff, which is no UTF-8"),
        ("[" * 5000, "nested too deep"),
    ],
)
def test_what_was_hardly_meant_is_named(tmp_path, content, said) -> None:
    with pytest.raises(FernnError) as caught:
        read(tmp_path, content)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "params.yaml"))
    assert len(str(caught.value).splitlines()) <= 6


def test_what_is_meant_is_read(tmp_path) -> None:
    text = "base: &b {x: 1, y: -2}\nmore: {<<: *b, x: 3}\nrates: [1e-3, 1.0e-3, .5, +2., 5E2, 0, '010', \"1:30\"]\n"
    found = read(tmp_path, text)
    assert found["more"] == {"x": 3, "y": -2}
    assert found["rates"] == [0.001, 0.001, 0.5, 2.0, 500.0, 0, "010", "1:30"]


def test_a_folder_is_not_a_file(tmp_path) -> None:
    with pytest.raises(FernnError, match=r"cannot be read: Is a directory\."):
        read_yaml(tmp_path)


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60)))
def test_anything_is_read_or_refused(tmp_path_factory, content) -> None:
    try:
        read(
            tmp_path_factory.getbasetemp(),
            content if isinstance(content, bytes) else content.encode("utf-8", "replace"),
        )
    except FernnError as error:
        assert "params.yaml" in str(error)
