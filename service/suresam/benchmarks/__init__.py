"""Measurements that print the machine, the versions and both sides of every ratio."""
