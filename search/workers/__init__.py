"""Processes that train, and the messages between them and the main process."""
