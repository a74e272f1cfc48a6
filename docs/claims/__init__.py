"""What the model must show, one file a section of behaviour.md; every claim has a rule and what measures it on runs."""
