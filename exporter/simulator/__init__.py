"""A Livepeer Studio of our own: it answers like the real one, from sessions that are made up.

`api` is the HTTP surface, `world` a seeded crowd of streams with whole lives, `dense` many sessions at once,
`serve` a real socket. The demo, the tests and the benchmarks use the same parts.
"""
