"""Running commands that nobody vouches for."""
