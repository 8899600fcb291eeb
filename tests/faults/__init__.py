"""Faults that are tried, by class; see ``report.py``."""
