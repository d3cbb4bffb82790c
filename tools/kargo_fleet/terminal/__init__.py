"""Reports, progress bars and the confirmation prompt."""
