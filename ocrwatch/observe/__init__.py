"""Reports status and health: files, HTTP, Prometheus and systemd."""
