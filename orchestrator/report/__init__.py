"""Pure text from a report: nothing here runs, asks or posts anything."""
