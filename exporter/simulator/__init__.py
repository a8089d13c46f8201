"""A simulated Livepeer Studio with made-up sessions, for the demo, tests and benchmarks.

`api` implements the HTTP endpoints, `world` streams that start, degrade and end, `bulk` many sessions at once, and
`serve` runs the API on a socket.
"""
