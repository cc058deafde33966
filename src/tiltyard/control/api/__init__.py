"""The calls of control's API, a module for each subject."""
