"""What finished runs left behind, read and checked: metrics, measures, and the choice of a learning rate."""
