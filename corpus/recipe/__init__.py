"""A recipe: one YAML file that describes the whole corpus."""
