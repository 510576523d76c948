"""What the range and the resolution of float16 and bfloat16 do."""
