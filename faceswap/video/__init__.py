"""Reading and writing video; the only users of PyAV."""
