"""The drawn world: scripts, figures, places, light, sound, and the renderer."""
