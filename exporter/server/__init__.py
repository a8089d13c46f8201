"""HTTP server for ASGI applications: listener, connection limits, TLS, basic authentication, web config file.

`listener` and `connection` serve an application within limits; `basic_auth` is middleware in front of it;
`web_config` reads the web config file, `tls` creates a TLS context from it, and `web_config_reload` follows changes.
"""
