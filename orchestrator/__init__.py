"""infra: Terraform on Google Cloud from pull request to production, with no server."""

__version__ = "0.1.0"
