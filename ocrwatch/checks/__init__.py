"""What must be true of settings, folders and machine: checked at the start, at a reload and by ``ocrwatch doctor``."""
