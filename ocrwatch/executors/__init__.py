"""Where scans are read: a pool of worker processes.

``process_pool`` has one ``worker_lifecycle`` (a thread) for each worker: it starts, replaces and kills the process
(``worker_handle``) and talks to it over a private socket (``ipc``), so that one death cannot affect another worker.
``worker_main`` runs in the process, ``rlimits`` are its limits on itself, ``exits`` classifies its end, and ``events``
are its reports.
"""
