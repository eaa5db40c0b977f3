"""Tells seven kinds of dry beans apart: a training pipeline for Vertex AI, in KFP's version 2."""
