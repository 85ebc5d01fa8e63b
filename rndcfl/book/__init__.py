"""The notebooks' machine: running, provenance, figures, benchmarks, course, site, commands.

Nothing here computes a result of the science.
"""
