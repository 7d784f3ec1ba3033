"""The demo: a drawn world, its synthetic annotators, its two small models and their recipe."""
