"""The pipeline: jobs of a scale, the stages that do them, and what compares, shows, shares and plans results."""
