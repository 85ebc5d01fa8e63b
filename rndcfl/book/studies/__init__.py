"""Studies: what notebooks compare with and the product does not use."""
