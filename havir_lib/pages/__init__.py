"""What each notebook shows: its tables beside its figures, one file per notebook or question.

Functions here take a run, gather its arrays, and hand them to the maths (``evaluation``,
``interpretation``) and to ``plots``. What they return is saved under ``figures/`` or ``tables/``
with its provenance and shown. ``index`` lists all of them.
"""
