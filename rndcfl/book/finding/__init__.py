"""``rndcfl discover``: federations of your own files or of a dataset, and a page about them."""

from rndcfl.book.finding.cli import discover

__all__ = ["discover"]
