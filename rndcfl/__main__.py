"""``python -m rndcfl`` is the same as ``rndcfl``."""

from rndcfl.book.cli import main

main(prog_name="rndcfl")
