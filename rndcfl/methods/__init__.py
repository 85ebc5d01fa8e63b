"""Methods of clustered federated learning: a module each, with only what makes it different."""

from rndcfl.methods.base import Method
from rndcfl.methods.cfl import CFL
from rndcfl.methods.flhc import FLHC
from rndcfl.methods.global_ import Global
from rndcfl.methods.ifca import IFCA
from rndcfl.methods.local import Local
from rndcfl.methods.oracle import Oracle
from rndcfl.methods.pacfl import PACFL
from rndcfl.methods.psfl import PSFL
from rndcfl.methods.rnd import RNDMethod
from rndcfl.methods.run import Run

METHODS: dict[str, type[Method]] = {
    "local": Local,
    "global": Global,
    "oracle": Oracle,
    "rnd": RNDMethod,
    "ifca": IFCA,
    "cfl": CFL,
    "flhc": FLHC,
    "pacfl": PACFL,
    "psfl": PSFL,
}

__all__ = ["CFL", "FLHC", "IFCA", "METHODS", "PACFL", "PSFL", "Method", "Run"]
