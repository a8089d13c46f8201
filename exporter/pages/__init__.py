"""What each URL returns: the metrics, the probes and the status page."""
