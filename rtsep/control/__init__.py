"""Faders, sockets, OSC and presets: everything that turns a running engine from outside."""
