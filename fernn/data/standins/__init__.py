"""Drawn stand-ins for the videos of KTH: same format, same oddities, figures that perform the six actions.

They let the whole way from the download to the table run where the originals are not at hand. What comes of them says
nothing about the originals.
"""
