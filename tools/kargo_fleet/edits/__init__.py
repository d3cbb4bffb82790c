"""Changes to the files that a service's team owns."""
