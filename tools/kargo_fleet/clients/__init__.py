"""Programs that this tool calls: kubectl and Helm; and trying again what fails for a moment."""
