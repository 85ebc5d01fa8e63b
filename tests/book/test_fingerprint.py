import nbformat
import pytest

from rndcfl.book.provenance.fingerprint import data_hash, digest, notebook_hash, versions
from rndcfl.common.errors import InputError


def test_digest_is_short_and_does_not_depend_on_order():
    assert digest({"a": 1, "b": [2.5]}) == digest({"b": [2.5], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({"a": 1}) != digest({"a": 1.5})
    assert len(digest("text")) == 16


def notebook(tmp_path, value=1, code="print(n)", prose="# Title", outputs=(), count=None):
    cells = [
        nbformat.v4.new_markdown_cell(prose),
        nbformat.v4.new_code_cell(f"n = {value}", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(code, outputs=list(outputs), execution_count=count),
    ]
    path = tmp_path / "notebook.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return notebook_hash(path)


def test_notebook_hash_ignores_parameters_prose_outputs_counts_and_cell_ids(tmp_path):
    printed = nbformat.v4.new_output("stream", name="stdout", text="1\n")
    other = notebook(tmp_path, value=2, prose="# Another title", outputs=[printed], count=3)
    assert notebook(tmp_path) == other


def test_notebook_hash_sees_the_code(tmp_path):
    assert notebook(tmp_path) != notebook(tmp_path, code="print(n + 1)")


def test_notebook_hash_does_not_see_where_in_the_package_a_name_stands(tmp_path):
    code = "from rndcfl.{} import ari\nprint(ari(a, b))"
    one, other = (notebook(tmp_path, code=code.format(m)) for m in ("metrics", "elsewhere"))
    assert one == other != notebook(tmp_path, code=code.format("metrics").replace("ari", "nmi"))


def test_data_hash_is_none_without_data(no_user_data):
    assert data_hash([]) is None
    assert data_hash(["mnist"]) is None
    assert data_hash(["cifar10"]) is None
    assert data_hash(["fashion-mnist-mini", "mnist"]) is None  # without one, none can be compared


def test_data_hash_changes_with_the_files(no_user_data, monkeypatch):
    monkeypatch.setenv("RNDCFL_DATA", str(no_user_data))
    folder = no_user_data / "mnist"
    folder.mkdir()
    for part in ("train", "t10k"):
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            (folder / f"{part}-{kind}.gz").write_bytes(b"old")
    before = data_hash(["mnist"])
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"new")
    assert before is not None
    assert data_hash(["mnist"]) not in (None, before)


def test_data_hash_of_the_bundled_dataset_needs_nothing(no_user_data):
    assert data_hash(["fashion-mnist-mini"]) == data_hash(["fashion-mnist-mini"]) is not None


def test_data_hash_of_an_unknown_dataset_is_an_error():
    with pytest.raises(InputError, match="did you mean 'mnist'"):
        data_hash(["mnits"])


def test_versions_name_python_and_what_computes():
    import numpy

    assert versions()["numpy"] == numpy.__version__
    assert {"python", "torch", "scipy", "scikit-learn"} <= set(versions())
