"""Creates and connects all objects: start, reload (SIGHUP) and stop of the daemon, and its service manager."""
