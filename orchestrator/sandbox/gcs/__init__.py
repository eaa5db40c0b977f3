"""A small, strict Cloud Storage server: generations, preconditions, versions, IAM and injected faults."""
