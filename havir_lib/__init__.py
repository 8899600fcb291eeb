"""HAVIR companion: from fMRI betas to reconstructed images, one folder per step.

Read the packages in this order to follow one image through the method:
``simulation`` (or real NSD) → ``data`` → ``targets`` → ``models`` → ``training`` → ``diffusion``
→ ``evaluation`` → ``interpretation`` → ``plots`` / ``reports``.
"""

__version__ = "0.1.0"
