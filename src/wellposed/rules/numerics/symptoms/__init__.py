"""What the user sees of a fault: the loss."""
