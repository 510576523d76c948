"""What enters the program already broken."""
