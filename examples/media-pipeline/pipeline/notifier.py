"""Receive webhooks as a customer would: another company's server, without telemetry."""

import http.server

from pipeline import settings


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(200)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(204)

    def _answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", settings.PORT), Receiver).serve_forever()
