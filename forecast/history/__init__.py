"""What happened: the package's own observed series and published outlooks, with their sources."""
