"""What people give as data: read as arrays, brought to a kind, and looked at for usual slips.

A kind is what a sample is: an image [C, H, W], a series [C, T], a row of a table [d] or a text
[length]. :mod:`~rndcfl.given.arrays` reads anything that holds numbers,
:mod:`~rndcfl.given.inputs` finds its kind, :mod:`~rndcfl.given.classes` numbers labels over all
clients, and :mod:`~rndcfl.given.hints` says what looks like a slip.
"""

from rndcfl.given.inputs import KINDS
from rndcfl.given.together import Together, called, check_parts, listed, together

__all__ = ["KINDS", "Together", "called", "check_parts", "listed", "together"]
