import os
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe

import psutil
import pytest

from tlsearch.search.workers import fork_server, inside
from tlsearch.search.workers.fork_server import worker_context

pytestmark = pytest.mark.skipif(
    not fork_server.is_possible(), reason="workers are copies on Linux, with TensorFlow and without a GPU"
)

START_AND_TELL = """
import sys, time
from multiprocessing import forkserver
from tlsearch.search.workers import fork_server
fork_server.start()
if "imported" in sys.argv:
    copy = fork_server.worker_context().Process(target=int)
    copy.start()
    copy.join()
print(forkserver._forkserver._forkserver_pid, flush=True)
time.sleep(60)
"""


def tell(connection):
    threads = psutil.Process().num_threads()
    modules = set(sys.modules)
    inside.prepare(2)
    from threadpoolctl import threadpool_info

    connection.send((threads, modules, {pool["internal_api"]: pool["num_threads"] for pool in threadpool_info()}))


def test_a_copy_has_keras_and_one_thread_and_uses_as_many_as_it_is_told():
    context = worker_context()
    assert context.get_start_method() == "forkserver"
    ours, theirs = Pipe()
    process = context.Process(target=tell, args=(theirs,))
    process.start()
    threads, modules, pools = ours.recv()
    process.join()
    assert threads == 1
    assert {"keras", "tensorflow", "tlsearch.search.training.trainer"} <= modules
    assert "sklearn" not in modules
    assert pools
    assert set(pools.values()) == {2}


def test_what_importing_keras_sets_here_makes_no_difference(monkeypatch):
    fork_server.start()
    for name in ("KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.delenv(name, raising=False)
    inside.import_keras()
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "2")
    assert worker_context().get_start_method() == "forkserver"


@pytest.mark.parametrize(("name", "value"), [("KERAS_BACKEND", "jax"), ("TF_ENABLE_ONEDNN_OPTS", "0")])
def test_what_was_imported_with_other_settings_is_not_copied(monkeypatch, name, value):
    assert worker_context().get_start_method() == "forkserver"
    monkeypatch.setenv(name, value)
    assert worker_context().get_start_method() == "spawn"
    monkeypatch.undo()
    assert worker_context().get_start_method() == "forkserver"


def test_a_worker_has_the_variables_that_the_main_process_has_now(monkeypatch):
    class Ended:
        def recv(self):
            raise EOFError

    class Silent:
        def take_standard_streams(self):
            pass

    monkeypatch.setattr(inside, "prepare", lambda threads, gpu: found.update(os.environ))
    monkeypatch.setattr(inside, "end_with_parent", lambda: None)
    monkeypatch.setattr(inside.signal, "signal", lambda number, handler: None)
    monkeypatch.setenv("SET_BEFORE", "yes")
    kept, found = dict(os.environ), {}
    try:
        inside.serve(Ended(), {"SET_SINCE": "yes"}, 1, Silent())
    finally:
        os.environ.update(kept)
        del os.environ["SET_SINCE"]
    assert found == {"SET_SINCE": "yes"}


@pytest.mark.parametrize("how_far", ["importing", "imported"])
def test_it_ends_with_the_main_process_however_that_ends_and_leaves_no_file(how_far, tmp_path):
    # Longer than a socket's path may be.
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    command = [sys.executable, "-c", START_AND_TELL, how_far]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)})
    server = psutil.Process(int(process.stdout.readline()))
    # It asks to be killed as soon as it has started.
    time.sleep(1)
    assert server.is_running()
    # Ctrl-C is for the main process to answer.
    server.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert server.is_running() and server.status() != psutil.STATUS_ZOMBIE
    process.kill()
    process.communicate()
    psutil.wait_procs([server], timeout=2)
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    assert list(folder.iterdir()) == []
