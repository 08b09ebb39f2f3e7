"""A folder of runs in the browser: read as it grows, never written to."""
