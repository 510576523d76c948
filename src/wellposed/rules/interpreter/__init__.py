"""What Python's way of running a program costs, one file a rule. All of it is advice: nothing of it breaks a number."""
