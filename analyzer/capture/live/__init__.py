"""Packets from interfaces, as they pass: sockets of the kernel's, programs that capture, and files of what was seen."""
