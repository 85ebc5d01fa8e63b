"""The notebooks for reading: an offline copy as web pages, and slides."""
