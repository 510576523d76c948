"""The room `chain`, against brute force, NumPy and opt_einsum."""
