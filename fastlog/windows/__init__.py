"""Windows over event time: what is closed, what is printed, what is firing. Pure."""
