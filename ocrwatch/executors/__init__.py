"""Where scans are read: a pool of worker processes.

``process_pool`` has one ``worker_lifecycle`` (a thread) for each worker: it starts, replaces and kills the process
(``worker_handle``) and talks to it over a private ``channel`` in ``messages``, so that one death cannot touch another
worker. ``worker_main`` runs in the process, ``rlimits`` is what it puts on itself, ``exits`` says whose fault its end
was, and ``events`` are what comes back.
"""
