"""What is run as a whole: one fold, many folds and seeds, grids of variants, sweeps."""
