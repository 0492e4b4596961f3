"""Reports to the outside: the status file, ``STATUS.txt`` on the share, Prometheus, HTTP and systemd."""
