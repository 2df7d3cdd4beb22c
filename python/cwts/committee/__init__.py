"""Committees: who they are, and the ceremonies that give them a key.

`members` has the terms of a ceremony, `identity` a member's folder, `transport` the authenticated
connections, `sequencer` and `ceremony` the two parts in a ceremony, `demo` ten processes on
loopback.
"""
