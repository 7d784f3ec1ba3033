"""What gives every step its score: the trained head, a frozen model's own answer, or LoRA."""
