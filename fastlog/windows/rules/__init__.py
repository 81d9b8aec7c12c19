"""Rules over event time: what each has measured, what is firing. Pure."""
