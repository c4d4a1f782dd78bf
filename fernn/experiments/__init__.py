"""The paper's experiments: each says what its stages depend on (`plan`) and how each stage is done."""
