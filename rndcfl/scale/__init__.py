"""Discovery among thousands: a few landmarks, and grouping without comparing all pairs."""

from rndcfl.scale.grouping import group_reports
from rndcfl.scale.landmarks import Landmarks, ScaleDiscovery, discover_at_scale

__all__ = ["Landmarks", "ScaleDiscovery", "discover_at_scale", "group_reports"]
