"""livepeer-session-exporter: live streams on Livepeer Studio, visible in Prometheus and Grafana."""
