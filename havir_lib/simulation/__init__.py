"""Simulated subjects: scenes, anatomy, responses, written in the layout of NSD."""
