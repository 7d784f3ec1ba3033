"""What runs leave behind: result files, comparisons, tables, plots, exported models."""
