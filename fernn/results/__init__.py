"""Tables and figures, made of the files of finished runs alone."""
