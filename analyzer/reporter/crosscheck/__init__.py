"""A second opinion: the same capture, read with Wireshark's dissectors."""
