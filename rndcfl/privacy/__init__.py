"""What predictors and reports give away, and how to promise that they do not."""

from rndcfl.privacy.promise import PRIVATE, Privacy, PrivateDiscovery

__all__ = ["PRIVATE", "Privacy", "PrivateDiscovery"]
