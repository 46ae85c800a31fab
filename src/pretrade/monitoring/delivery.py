# SPDX-License-Identifier: Apache-2.0
"""At-least-once delivery of alarms from the alert journal."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO, Final

from pretrade.calibration import Alert, AlertJournal
from pretrade.domain.errors import ConfigError, JournalError
from pretrade.sidecar.serve import ALERTS, stop_on_signals

_LONGEST_WAIT_S: Final = 30.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An alarm names limits: it goes to the address somebody configured and nowhere else."""

    def redirect_request(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str) -> None:
        """Follow nothing; the answer stays what it was, a failure."""
        return


class Deliverer:
    """Posts alarms (HIGH, CRITICAL) to a webhook; only an answer of 2xx is a delivery, a redirect is not followed.

    Parameters
    ----------
    url
        ``http`` or ``https`` address; each POST carries one alert as JSON and its id in ``Idempotency-Key``.
    journal
        Where alerts are written.
    position_file
        Byte position behind the last alert delivered.
    timeout_s
        Of one POST.
    sleep
        Waits between tries, so that tests need not.

    Raises
    ------
    ConfigError
        If the address is neither ``http`` nor ``https``.
    """

    def __init__(
        self, url: str, journal: AlertJournal, position_file: Path, *, timeout_s: float = 2.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"webhook address is {url!r}; it must begin with http:// or https://")
        self._url = url
        self._journal = journal
        self._position_file = position_file
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._opener = urllib.request.build_opener(_NoRedirect)
        self.failures = 0

    @property
    def position(self) -> int:
        """Byte position behind the last alert delivered."""
        try:
            return int(self._position_file.read_text())
        except FileNotFoundError:
            return 0
        except ValueError as e:
            raise JournalError(f"{self._position_file} holds no position: {e}") from e

    def deliver(self, *, tries: int = 1) -> int:
        """Deliver what is due; stops at the first alarm the receiver does not take after ``tries`` tries with growing waits.

        Returns
        -------
        int
            Alarms delivered.
        """
        delivered = 0
        for alert, behind in self._journal.read_positions(self.position):
            if alert.severity == "alarm":
                if not self._post_with_retry(alert, tries):
                    return delivered
                delivered += 1
            self._commit(behind)
        return delivered

    def _post_with_retry(self, alert: Alert, tries: int) -> bool:
        for attempt in range(tries):
            if self._post(alert):
                return True
            self.failures += 1
            if attempt + 1 < tries:
                self._sleep(min(_LONGEST_WAIT_S, 0.5 * 2**attempt))
        return False

    def _post(self, alert: Alert) -> bool:
        body = json.dumps(alert.as_dict(), sort_keys=True).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": alert.alert_id}
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return 200 <= int(answer.status) < 300
        except (OSError, http.client.HTTPException):
            return False

    def _commit(self, position: int) -> None:
        temporary = self._position_file.with_suffix(".tmp")
        with temporary.open("w") as out:
            out.write(str(position))
            out.flush()
            os.fsync(out.fileno())
        temporary.rename(self._position_file)


def serve(run_path: Path, url: str) -> None:
    """Deliver alarms of a run directory until told to stop."""
    is_stopped = stop_on_signals()
    deliverer = Deliverer(url, AlertJournal(run_path / ALERTS), run_path / "alerts.position")
    wait = 0.2
    while not is_stopped():
        before = deliverer.failures
        deliverer.deliver()
        wait = 0.2 if deliverer.failures == before else min(_LONGEST_WAIT_S, wait * 2)
        end = time.monotonic() + wait
        while time.monotonic() < end and not is_stopped():
            time.sleep(0.05)
