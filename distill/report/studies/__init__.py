"""How the results of studies are told."""
