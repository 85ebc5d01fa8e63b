"""``python -m rndcfl`` is the same as ``rndcfl``."""

from rndcfl.cli import main

main(prog_name="rndcfl")
