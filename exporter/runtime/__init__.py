"""The parts put together: start, reload and stop of the daemon, and its service manager."""
