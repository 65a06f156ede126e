"""The preview server, which computes frames and swaps for the window."""
