"""What a run left: its agents, evaluated and started from, and its tables."""
