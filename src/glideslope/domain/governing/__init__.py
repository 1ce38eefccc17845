"""What is agreed and known about a change, and what follows from it; pure, like all of the domain."""
