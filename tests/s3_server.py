"""A real S3 API on the loopback interface (moto's server), which can be made to stop answering midway."""

import threading
from collections.abc import Callable

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "company"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIANOTTOBESHOWN", "AWS_SECRET_ACCESS_KEY": "never-to-be-shown"}


class Server:
    """The server in a thread of this process, with an empty bucket; ``holds`` names uploads that wait for ``go``."""

    def __init__(self):
        self.application = DomainDispatcherApplication(create_backend_app)
        self.holds: Callable[[str], bool] = lambda path: False
        self.held, self.go = threading.Event(), threading.Event()
        self.http = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.settings = {
            **KEYS,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.http.port}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.client = boto3.client(
            "s3",
            endpoint_url=self.settings["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )
        self.client.create_bucket(Bucket=BUCKET)

    def _answer(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT" and self.holds(environ["PATH_INFO"]):
            self.held.set()
            self.go.wait(60)
        return self.application(environ, start_response)

    def put(self, folder, prefix: str) -> None:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            self.client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Content of every object below ``prefix``, by its path from there."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {
            key.removeprefix(f"{prefix}/"): self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for key in keys
        }

    def stop(self) -> None:
        self.go.set()
        self.http.shutdown()
        self.thread.join()
