"""Calcfunctions: every decision and every small computation of a workflow, each taking under a second."""
