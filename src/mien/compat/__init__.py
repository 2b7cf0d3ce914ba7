"""Other libraries' function names to mien's answers."""
