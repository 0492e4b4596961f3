"""Where scans are read: ``base`` is the protocol, and ``local`` reads with worker processes of this machine.

``process_pool`` has one ``worker_slot`` (a thread) for each worker: it starts, replaces and kills the process
(``worker_process``) and talks to it over a private socket (``ipc``), so that one death cannot affect another worker.
``worker_main`` runs in the process, ``failure_causes`` classifies its end, and ``events`` are its reports.
``rendering`` makes sidecars of a page. ``spawning`` starts the process, and the first one before the settings are
loaded. ``trial_start`` tests whether one could start with other settings.
"""
