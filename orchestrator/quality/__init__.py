"""How good the code is: modules' own tests, and what a reader of the code would complain about."""
