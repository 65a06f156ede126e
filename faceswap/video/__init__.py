"""Video reading and writing; the only package that uses PyAV."""
