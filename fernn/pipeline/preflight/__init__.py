"""What is to come: what a scale costs, and whether this machine has what it takes."""
