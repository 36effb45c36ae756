"""A language model behind an OpenAI-compatible server that answers with a label: prompt, requests, answers, money."""
