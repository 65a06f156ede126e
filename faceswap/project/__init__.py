"""The project folder: settings file, extraction of a side, re-extraction."""
