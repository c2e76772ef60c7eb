"""MSE beside crossentropy on the same tensors."""
