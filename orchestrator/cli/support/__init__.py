"""What several commands share: sessions, reports, and the sandbox of the project."""
