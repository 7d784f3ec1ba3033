"""Training around the models: the trainer, callbacks, loggers, resuming, ranks."""
