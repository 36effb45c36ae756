"""From records to logits, with the same batches whatever the runtime."""
