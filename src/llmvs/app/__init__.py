"""A page in the browser that summarizes uploaded videos: `llmvs app`."""
