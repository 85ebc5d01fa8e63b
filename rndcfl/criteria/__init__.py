"""Criteria: from what clients report to federations, one file each."""
