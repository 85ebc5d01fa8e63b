"""The exchange among real sites, whatever engine carries it."""
