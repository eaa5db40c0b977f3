"""What commands print to a terminal or a log, and what they ask there."""
