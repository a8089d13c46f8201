"""The Session dashboard: ingest, transcoding, health and recording of one session."""
