"""Where numbers blow up, vanish, turn NaN or lose digits: one file a rule, grouped by what is at fault."""
