"""Clients whose pictures are turned: two groups in turns, each `draw` with other samples."""

from rndcfl import make_clients


def clients_of(draw=0, setting="rotation", n=4, **kwargs):
    return make_clients(
        "fashion-mnist-mini",
        setting,
        n,
        2,
        0,
        samples_per_client=150,
        test_per_client=1,
        draw=draw,
        **kwargs,
    )
