"""Running sessions: jobs, executors, trials, longer runs, the display and the loggers."""
