"""One module per promise. They read bytes and true facts, and share no code with what they judge."""
