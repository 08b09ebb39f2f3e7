"""The console: printed lines, signals, and files that hide modules."""
