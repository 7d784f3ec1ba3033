"""How the demo's two models are made from nothing: `python -m llmvs.demo.recipe`, three quarters of
an hour on two CPU cores.

Both are taught on clips of the demo world that the demo dataset never shows: their seeds begin at
`world.TRAINING_SEEDS`, which the dataset refuses. They are taught the questions that the project
asks, word for word, and nothing else: they are no general models.
"""
