"""What travels between the roles: chunks down, partials up, events out."""
