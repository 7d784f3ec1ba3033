"""A summary of your own video: steps, scores, shots, and the choice among them; no annotations."""
