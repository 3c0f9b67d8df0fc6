"""Where pictures come from: a folder, a zip file, or a manifest (CSV, JSON lines). `open_source` chooses."""
