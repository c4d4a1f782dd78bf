"""What waits: for a run that another process is at, for a GPU, for a file. No part of it decides a byte of a result."""
