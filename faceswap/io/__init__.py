"""Files: atomic writes and locks, SQLite, pictures, EXIF orientation, provenance."""
