"""One file = one job = one command.

A job is a function ``name(options: NameOptions) -> Generator[Event, None, NameSummary]``.
``registry`` lists them all. Importing a module of this package imports no torch, cv2 or av:
they come in inside the generator, so that ``--help`` and the window open at once.
"""
