"""Tests of the room for quality."""
