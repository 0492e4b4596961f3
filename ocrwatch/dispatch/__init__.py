"""Hands scans to workers (4).

``pool`` has N slots, each a thread (``slot``) with one worker process (``worker``) and a private channel
(``channel``), so that one death cannot touch a neighbour; what happens comes back as ``events``. ``limits`` is what a
worker puts on itself, ``blame`` says whose fault its end was.
"""
