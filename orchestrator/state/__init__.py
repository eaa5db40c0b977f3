"""What is remembered remotely: where states lie, what they say, who holds their lock."""
