"""EC2 and SSM for the end-to-end tests: moto, plus what EC2 documents and moto lacks.

    python server.py --region us-east-1 [--prices PRICES.json]

Listens on a free port of 127.0.0.1 and prints {"port": N} when ready. PRICES.json maps instance types to on-demand
USD per hour. Ends when its standard input closes, so that a killed test run leaves no server behind.
"""

import argparse
import json
import logging
import os
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

import calls
import catalogue
import control
import fleet
import lifecycle
from state import CONTROL


def exit_with_stdin():
    sys.stdin.read()
    os._exit(0)


def application():
    aws = DomainDispatcherApplication(create_backend_app)

    def dispatch(environ, start_response):
        if environ["PATH_INFO"].startswith(control.PREFIX):
            return control.serve(environ, start_response)
        return aws(environ, start_response)

    return dispatch


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--prices")
    options = parser.parse_args()
    if options.prices:
        with open(options.prices, encoding="utf-8") as file:
            CONTROL.on_demand_prices = json.load(file)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    for part in (calls, catalogue, fleet, lifecycle):
        part.install()
    catalogue.seed_images(options.region)
    server = make_server("127.0.0.1", 0, application(), threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=exit_with_stdin, daemon=True).start()
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
