"""What every room may use: errors, named random streams, costs, metrics, whole files."""
