"""The data of a node in Flower's simulation, under the name that ``flower-app`` gives them."""

from rndcfl.protocol.loaders import drawn

__all__ = ["drawn"]
