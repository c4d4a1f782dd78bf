"""Tables: our numbers beside the paper's, as data, for reading, and for a paper."""
