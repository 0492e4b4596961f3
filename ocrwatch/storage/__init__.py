"""Files, mounts and locks: all access to disks and shares."""
