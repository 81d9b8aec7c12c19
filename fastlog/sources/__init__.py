"""Sources: where chunks of log come from, and when."""
