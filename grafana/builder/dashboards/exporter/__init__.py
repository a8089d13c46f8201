"""The Exporter dashboard: whether the data is current and complete."""
