"""The frozen models: frames to captions, captions to embeddings; resumable, on many GPUs."""
