"""What a result depends on, whether that has changed since, and the files that record it."""
