"""Pull requests on GitHub: made from jobs, kept up to date, and read back."""
