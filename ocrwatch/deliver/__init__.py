"""From a Page to files: formats (8), outbox (9), dispose (10), in an order that survives being killed anywhere.

``formats`` renders a Page to bytes; ``plan`` chooses one free stem for all of a scan's files; ``outbox`` writes
the sidecars under temporary names and publishes them; ``dispose`` puts the original away; ``delivery`` holds the
order of it all and what the ledger must know before each step.
"""
