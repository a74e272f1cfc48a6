"""Questions asked of ensembles."""
