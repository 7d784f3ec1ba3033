"""The embedding cache on disk: captions and embeddings, one file per video; listing, verifying,
pruning.
"""
