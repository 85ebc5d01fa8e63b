"""Discovery among thousands: a few landmarks, and grouping without comparing all pairs."""
