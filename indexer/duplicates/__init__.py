"""Duplicates on the command line: what a collection is compared with, the table, the script that moves files."""
