"""The composition root: builds the objects from the settings; start, reload and stop; the service manager."""
