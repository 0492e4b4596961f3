"""Everything that could stop ocrwatch on this machine, each finding with its remedy.

``folders`` looks at what is done in them, ``watching`` at how new scans are noticed, ``machine`` at the rest:
memory, the service manager, other programs. What is asked of what is put together in ``commands.examining``.
"""
