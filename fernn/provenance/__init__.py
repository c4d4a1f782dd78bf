"""Where a result comes from: digests of code and inputs, the machine, and the record that lists them."""
