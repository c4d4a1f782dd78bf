"""The paper's claims as data, and the one place where they are judged."""
