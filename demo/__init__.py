"""The demo: two real data sets go the whole way, and every step is checked.

It uses Tiltyard as people do: the command line in processes of their own, and the gateway over
plain HTTP with an application's token. Nothing of Tiltyard is imported but its version.
"""
