"""The commands of `analyzer`, one module each. What is slow to import is imported inside the command that needs it."""
