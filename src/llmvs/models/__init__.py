"""What is trained: the head, its Lightning module and data module, adapters, the exported form."""
