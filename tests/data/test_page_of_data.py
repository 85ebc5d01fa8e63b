"""What "Bring your own data" shows is run as it stands, and prints what its comments say."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from rndcfl import Notice
from rndcfl.book import paths

PAGE = (paths.root() / "docs/data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def titles():
    sections = re.split(r"\n#+ ", PAGE)
    return [s.splitlines()[0] for s in sections for _ in range(s.count("```python"))]


@pytest.mark.parametrize("block", BLOCKS, ids=titles())
def test_an_example_prints_what_it_says(block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for i, name in enumerate(("north", "south")):
        rng = np.random.default_rng(i)
        frame = pd.DataFrame(
            {"age": rng.normal(60 - 20 * i, 8, 90), "ill": rng.integers(2, size=90)}
        )
        frame.to_csv(f"data/{name}.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", Notice)
        exec(block, {})
    expected = re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE)
    printed = capsys.readouterr().out.splitlines()
    assert printed[: len(expected)] == expected


def test_every_kind_has_an_example():
    assert {"Tables", "Images", "Series", "Text", "Files, from Python"} < set(titles())
