"""Running sessions: jobs, executors, trials, the display and the loggers."""
