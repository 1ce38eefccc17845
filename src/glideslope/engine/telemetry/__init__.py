"""What a server tells about itself and about the models that it governs, for machines that watch: numbers, and nothing decides by them."""
