"""The program that a node of a cluster starts for each Python worker: `corpus-worker`, for --environment_type=PROCESS.

It does for an installed package what the Go program `boot` of Beam's container images does: asks the runner where its
services are, and becomes Beam's worker. Nothing is staged: the packages are those of this Python.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from apache_beam.runners.worker.worker_id_interceptor import WorkerIdInterceptor
from google.protobuf import json_format, text_format


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs until the runner ends it. The runner gives the options."""
    parser = argparse.ArgumentParser("corpus-worker", description="a Python worker, started by a node of a cluster")
    parser.add_argument("--id", required=True, help="of the worker, as the runner names it")
    parser.add_argument("--provision_endpoint", required=True, help="HOST:PORT that tells the rest")
    given, _ = parser.parse_known_args(arguments)
    os.environ |= provided(given.provision_endpoint, given.id)
    with tempfile.TemporaryDirectory(prefix="corpus-worker-") as folder:
        os.environ["SEMI_PERSISTENT_DIRECTORY"] = folder
        from apache_beam.runners.worker import sdk_worker_main

        sdk_worker_main.main(sys.argv[:1])


def provided(endpoint: str, worker: str) -> dict[str, str]:
    """The environment of Beam's worker, as the runner's provision service tells it."""
    with grpc.insecure_channel(endpoint) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(
            grpc.intercept_channel(channel, WorkerIdInterceptor(worker))
        )
        info = service.GetProvisionInfo(beam_provision_api_pb2.GetProvisionInfoRequest()).info
    return {
        "WORKER_ID": worker,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.control_endpoint),
        "LOGGING_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.logging_endpoint),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }


if __name__ == "__main__":
    main()
