"""What the commands do, apart from their options; each returns its exit code.

``work`` is run and once, ``reading`` is read, ``inspection`` is status, ``examining`` is doctor.
"""
