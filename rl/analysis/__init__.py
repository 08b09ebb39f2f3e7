"""Analysis: statistics and plots of what run folders hold."""
