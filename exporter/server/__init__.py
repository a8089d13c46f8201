"""The HTTP server: listener, connections, limits, TLS, basic auth, web config file and its reload."""
