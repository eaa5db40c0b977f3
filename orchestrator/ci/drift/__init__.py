"""What is told and done about drift in CI: issues, messages, corrections."""
