"""The stages of the pipeline over any experiment, each of them a command of `fernn`."""
