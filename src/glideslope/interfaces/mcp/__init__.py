"""The door for assistants (Model Context Protocol): they read and draft, as readers only; what they read is quoted as data."""
