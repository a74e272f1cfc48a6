"""Pictures of results: a dataset comes in, a figure goes out."""
