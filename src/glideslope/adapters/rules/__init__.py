"""What answers rules that are not ours: CEL expressions, and the policies of an OPA server."""
