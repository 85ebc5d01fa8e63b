"""The exchange among real sites, whatever engine carries it: who sends what when, and to whom.

A server asks and sites answer, by letters (:mod:`~rndcfl.protocol.letters`) that an engine's post
(:mod:`~rndcfl.protocol.post`) carries. :class:`~rndcfl.protocol.coordinator.Coordinator` is the
server, :class:`~rndcfl.protocol.site.Site` a site; who fails to answer is left out, and a server
that was stopped resumes from its checkpoint. :mod:`rndcfl.flower` carries all this over Flower.
"""

from rndcfl.protocol.config import Config
from rndcfl.protocol.coordinator import Coordinator
from rndcfl.protocol.letters import Letter
from rndcfl.protocol.post import Post
from rndcfl.protocol.site import Site

__all__ = ["Config", "Coordinator", "Letter", "Post", "Site"]
