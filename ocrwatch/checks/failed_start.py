"""Reports a failed start in ``STATUS.txt`` and the status.

Otherwise they would still have the last report of an earlier run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ocrwatch.checks import startup
from ocrwatch.errors import EnvironmentFault, OcrwatchError
from ocrwatch.observe import status
from ocrwatch.observe.status_documents import WrittenDocument
from ocrwatch.observe.status_outputs import StatusOutputs
from ocrwatch.observe.status_report import status_at_start
from ocrwatch.settings import Settings
from ocrwatch.storage.lock import holder_of, inbox_holder


def make_folders_or_report(settings: Settings, *, once: bool) -> None:
    """Make and test the folders (:func:`startup.make_folders`); report a failure.

    Nothing is reported if another ocrwatch runs on these folders: its status is valid.
    """
    try:
        startup.make_folders(settings)
    except EnvironmentFault as failure:
        with contextlib.suppress(OSError, OcrwatchError):
            if not once and holder_of(settings.state) is None and inbox_holder(settings.inbox) is None:
                last = status.read(settings.state)
                outputs = StatusOutputs(settings, startup.sidecar_group(settings), once=once)
                deliveries, documents = ([], []) if last is None else (last.deliveries, last.document_deliveries)
                _report(settings, outputs, deliveries, documents, failure)
                outputs.close()
        raise


@contextlib.contextmanager
def failure_reported(
    settings: Settings,
    outputs: StatusOutputs,
    deliveries: list[status.Delivery],
    documents: list[WrittenDocument],
) -> Iterator[None]:
    """Report the error with which a ``with`` block ends."""
    try:
        yield
    except OcrwatchError as failure:
        _report(settings, outputs, deliveries, documents, failure)
        raise


def _report(
    settings: Settings,
    outputs: StatusOutputs,
    deliveries: list[status.Delivery],
    documents: list[WrittenDocument],
    failure: OcrwatchError,
) -> None:
    """Write the error and the latest deliveries to ``STATUS.txt`` and the status file."""
    found = status_at_start(settings, deliveries, documents, failure)
    outputs.publish(found)
    status.write(settings.state, found)
