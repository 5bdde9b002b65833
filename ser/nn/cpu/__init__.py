"""Faster CPU kernels of the layers of ``ser.nn``; ``accelerate`` puts them into a network.

Nothing in the network knows of it.
"""
