import pytest
from click.testing import CliRunner

from rndcfl.book.cli import main


@pytest.mark.parametrize(
    "typed, said",
    [
        ("bench discovery --dataset nmist", "did you mean 'mnist'"),
        ("bench discovery --dataset fashion-mnist-mini --samples 5000", "from 16 to 666"),
        ("bench discovery --dataset fashion-mnist-mini --clients 2", "n_clients"),
        ("bench discovery --dataset fashion-mnist-mini --repeats 0", "repeats"),
        ("bench scale --clients ten", "numbers from 2 on"),
        ("bench scale --clients 1", "numbers from 2 on"),
        ("bench scale --landmarks 1000", "from 2 to 64"),
        ("bench scale --seeds 0", "x>=1"),
        ("bench scale --dataset nmist", "did you mean 'mnist'"),
        ("bench speed", "No such command 'speed'"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(typed, said):
    result = CliRunner().invoke(main, typed.split(), prog_name="rndcfl")
    assert result.exit_code == 2
    assert said in result.stderr and len(result.stderr.splitlines()) == 1
