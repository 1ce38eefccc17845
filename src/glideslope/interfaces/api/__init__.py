"""The HTTP API under `/v1`: translates a request into one command or query, and the answer or refusal back."""
