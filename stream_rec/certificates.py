"""Whose certificates a download trusts: the system's list, to which a company adds its own authority.

The list that a Python package brings does not know that authority: behind a proxy that looks into TLS nothing would
be fetched with it.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECK_NETWORK = "check the network, and the way there that HTTPS_PROXY and NO_PROXY name"
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")
"""Where Debian, Fedora and SUSE keep the list, for a Python that was built to look elsewhere."""
GIVEN = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables by which a user names the list to `requests`."""
REMEDY = (
    "does a proxy look into TLS here? Set SSL_CERT_FILE to a PEM file with your company's authority and all others "
    "that you trust, or add it to the system's"
)


def system_authorities() -> str | None:
    """Return the PEM file of the authorities that the system trusts, $SSL_CERT_FILE before all; None where none is."""
    files = (ssl.get_default_verify_paths().cafile, *BUNDLES)
    return next((file for file in files if file and Path(file).is_file()), None)


@contextmanager
def trust_the_system() -> Iterator[None]:
    """Have `requests` trust what the system trusts, unless a variable of its own says otherwise."""
    file = system_authorities()
    if file is None or any(os.environ.get(name) for name in GIVEN):
        yield
        return
    os.environ[GIVEN[0]] = file
    try:
        yield
    finally:
        os.environ.pop(GIVEN[0], None)


def is_about_trust(error: BaseException | None) -> bool:
    """Return whether a certificate that is not trusted is behind an error."""
    text = ""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        text += str(error)
        error = error.__cause__ or error.__context__
    return "CERTIFICATE_VERIFY_FAILED" in text


if __name__ == "__main__":  # the Makefile asks, before anything is installed
    print(system_authorities() or "")
