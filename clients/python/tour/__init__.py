"""Calls a QScope server with every grant, and prints what it got as one JSON object a line."""
