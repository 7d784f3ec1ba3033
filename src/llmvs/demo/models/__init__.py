"""The small frozen models that come with the project, and how they are made. Each loads like any
checkpoint, as `builtin:NAME`.
"""
