"""The rules, and what they need besides the library: what is to be done, who does it, and what a person sees of it."""
