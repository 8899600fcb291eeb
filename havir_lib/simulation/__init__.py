"""Simulated subjects: scenes, anatomy, responses, written in the layout of NSD."""

MARKER = "simulation.json"
"""File in a folder of simulated subjects: their settings, and that they are simulated."""
