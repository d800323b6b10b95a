"""Setting up and examining an arm: what the `so100` commands do, without their words and prompts."""
