"""An agent and a preprocessor for the lab."""
