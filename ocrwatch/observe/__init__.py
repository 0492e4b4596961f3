"""What the outside world is told: the status file, ``STATUS.txt`` on the share, Prometheus, HTTP and systemd."""
