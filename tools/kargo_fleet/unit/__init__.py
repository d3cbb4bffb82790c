"""One service: its layers merged, checked, and written as the values file of its unit."""
