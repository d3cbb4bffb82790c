"""The programs that this tool runs, kubectl and Helm, and retries of transient failures."""
