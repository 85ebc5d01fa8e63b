"""Data: datasets by name, one reader each, and tables of your own."""
