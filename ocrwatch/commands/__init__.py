"""What the commands do, apart from their options; each returns its exit code.

``work`` is run and once, ``reading`` is read, ``status``, ``why`` and ``review`` bear their names, ``examining`` is
doctor.
"""
