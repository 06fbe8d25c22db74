"""Worked examples of plug-ins and of use with other libraries."""
