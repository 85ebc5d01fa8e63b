"""Benchmarks: measured side by side, in one run on one machine. `rndcfl bench` runs them."""
