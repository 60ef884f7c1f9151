"""Serves python/examples/flask_app.py with TLS in process, also to clients without a certificate.

The example as a program demands one; the rows without need this. Arguments: port, certificate, key, roots of
the clients' certificates.
"""

import sys

import flask_app
import pqc_tls
from pqc_tls import Limits

# As many threads as gunicorn has, and room for the idle connections.
LIMITS = Limits(threads=8, connections=4096, idle_seconds=75.0)


def main() -> None:
    port, cert, key, roots = sys.argv[1:]
    pqc_tls.serve_wsgi(
        flask_app.app, "127.0.0.1", int(port), cert, key, roots, require_client_cert=False, limits=LIMITS
    )


if __name__ == "__main__":
    main()
