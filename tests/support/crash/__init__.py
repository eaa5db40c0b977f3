"""Applies that are interrupted at a chosen step, on a simulated cloud that counts the steps.

`watched` is the cloud, `lab` a project and the rounds that are played with it, `verdict` what must hold after
one, `results` what came of many.
"""
