"""Many small models fast: networks, stacks of them, local training. Knows no federations."""
