"""Federations as data and members change: when to discover again, where newcomers belong."""
