"""What the arm could hit: its own links, the table, obstacles. The rule by which motion is refused stands in
execution/collisions.py.
"""
