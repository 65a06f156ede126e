"""Application state and Qt models shared by the window's pages."""
