"""Two recordings compared by what is said of their connections: which belong together, and where they differ."""
