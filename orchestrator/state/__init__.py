"""What is remembered remotely: where states lie, what they say, who holds their lock.

(This room is being written by the lead: storage.py, location.py, statefile.py, locks.py and their tests.)
"""
