"""How a run goes: which stack is next, who holds it, and when it must not start."""
