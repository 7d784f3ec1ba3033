"""Every setting of an experiment: its schema, the layers it is read from, its description."""
