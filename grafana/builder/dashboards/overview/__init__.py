"""The Overview dashboard: whether anything is broken, which stream, since when, and the reported issue."""
