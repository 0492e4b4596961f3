"""Files, mounts and locks: everything that ocrwatch knows about disks and shares."""
