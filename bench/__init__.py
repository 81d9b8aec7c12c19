"""Corpora and measurements; see README.md beside this file."""
