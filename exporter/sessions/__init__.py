"""What a session is and what follows from sessions: values and pure functions, without I/O and without a clock."""
