"""The one way in which a measurement ends badly."""


class Failed(Exception):
    """A figure could not be had honestly; nothing is reported in its place."""
