"""A Debian of its own for the service: made with debootstrap, booted with systemd, and gone afterwards."""
