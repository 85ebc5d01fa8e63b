"""What a result rests on, whether that still holds, and the files that say so."""
