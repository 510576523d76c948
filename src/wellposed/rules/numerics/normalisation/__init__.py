"""Values whose size nothing keeps in bounds from layer to layer."""
