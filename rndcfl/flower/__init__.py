"""The same protocol among real sites, on Flower: pip install 'rndcfl[flower]'."""
