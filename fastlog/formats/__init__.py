"""Log formats as data: what the fields are, and the regular expressions made of them."""
