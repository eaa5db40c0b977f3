"""Drift: real resources that differ from what was applied, checked, classified, recorded, remediated."""
