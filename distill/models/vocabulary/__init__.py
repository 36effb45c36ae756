"""A smaller vocabulary for an encoder: the rows of its embeddings that the texts use, under a tokenizer that knows only
those and reads texts made of them as before.

Source: Ushio, Zhou and Camacho-Collados 2023, "An Efficient Multilingual Language Model Compression through Vocabulary
Trimming", arXiv:2305.15020; in words of that paper both pre-FT (a teacher's `vocabulary`) and post-FT (a student's).
"""
