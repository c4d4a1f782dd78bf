"""The recurrent networks of rotating MNIST, with the steerable convolutions of escnn."""
