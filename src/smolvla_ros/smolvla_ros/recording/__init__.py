"""Episodes into bags: what is recorded, whether it is fresh, when an episode ends. Times come in as arguments."""
