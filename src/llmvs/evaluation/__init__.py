"""How good scores are: measures, protocols, baselines, intervals."""
