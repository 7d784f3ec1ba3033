"""Video files in and out: frames, their times, and encoding."""
