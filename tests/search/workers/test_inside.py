import json
import os
import platform
import subprocess
import sys

import pytest

THREADS = """
import numpy, json
from tlsearch.search.workers.inside import prepare
from threadpoolctl import threadpool_info
prepare(1)
import scipy.linalg
print(json.dumps([(pool["internal_api"], pool["num_threads"]) for pool in threadpool_info()]))
"""


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="oneDNN is asked for on x86 alone")
@pytest.mark.parametrize("asked", [None, "0"])
def test_a_worker_uses_onednn_unless_it_is_told_not_to(asked: str | None) -> None:
    code = "import os; from tlsearch.search.workers.inside import prepare; prepare(1)"
    code += "; from tensorflow.python.util._pywrap_util_port import IsMklEnabled; print(IsMklEnabled())"
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {} if asked is None else {"TF_ENABLE_ONEDNN_OPTS": asked}
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert found.stdout.splitlines()[-1] == str(asked is None)


def test_the_linear_algebra_of_a_worker_uses_its_own_cores_alone_even_where_numpy_was_loaded_before() -> None:
    found = subprocess.run([sys.executable, "-c", THREADS], check=True, capture_output=True, text=True)
    pools = json.loads(found.stdout.splitlines()[-1])
    assert pools
    assert all(threads == 1 for _, threads in pools), pools
