"""Who signs the ledger's checkpoints."""
