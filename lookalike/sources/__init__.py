"""Where pictures come from: a folder, a zip file, or a manifest (CSV, JSON lines); `opening.open_source` chooses."""
