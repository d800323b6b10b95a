"""Ways to run the model's layers faster than the plain torch modules do."""
