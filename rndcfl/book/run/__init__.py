"""Executing the notebooks: what to run, in which processes, and what is left of it."""
