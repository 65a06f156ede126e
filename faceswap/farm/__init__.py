"""Work that several machines share: segments of a film, and jobs of a queue, on a Ray cluster.

One process has the work (``film_farm.py``, ``job_farm.py``); workers (``worker.py``), one for each
card, do what they are ordered (``orders.py``) and tell events. Only ``ray_cluster.py`` knows Ray;
all else knows a ``Cluster``. Project, footage and output lie on storage that all machines share.
"""
