import json

import pandas as pd
import pytest
from click.testing import CliRunner

from rndcfl.book.bench import scale
from rndcfl.book.cli import main


def rndcfl_(*arguments):
    return CliRunner().invoke(main, list(arguments), prog_name="rndcfl")


def test_bench_scale_writes_a_row_for_each_run(tmp_path):
    file = tmp_path / "scale.json"
    sizes = "--clients 40 --all-to-all 40 --samples 150 --landmarks 16 --threads 1".split()
    done = rndcfl_("bench", "scale", *sizes, "--json", str(file))
    assert done.exit_code == 0, done.output
    table = pd.DataFrame(json.loads(file.read_text()))
    assert table[["mode", "clients", "peers_scored"]].to_numpy().tolist() == [
        ["all_to_all", 40, 40],
        ["landmarks", 40, 16],
        ["features", 40, 0],
    ]
    assert table["exact"].all() and (table["ari"] == 1).all()
    assert (table["seconds"] > 0).all()
    assert table["peak_mb"].between(50, 5000).all()
    assert table["bytes_per_client"].iloc[2] == 8 * (1 + 64 + 64 * 65 // 2) + 8
    assert table["bytes_per_client"].iloc[1] < table["bytes_per_client"].iloc[0] / 2


def test_a_process_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(scale.Case, "check", lambda self: None)
    with pytest.raises(scale.InputError, match="unknown dataset"):
        scale.measure(scale.Case("landmarks", 4, dataset="nonsense"))
