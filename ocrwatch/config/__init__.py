"""How settings are written and read; the options themselves are in :mod:`ocrwatch.settings`.

``types`` are the kinds of values (durations, sizes), ``load`` puts the sources together, ``errors`` says in one
sentence what is wrong, ``text`` renders the example file, the settings in force and the schema, ``keys`` finds options
by key.
"""
