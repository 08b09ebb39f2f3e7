"""What the program says and hears: printed lines, signals, modules that hide others."""
