"""Your own model: found, trained and delivered for your images, within a target and a budget."""
