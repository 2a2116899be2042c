import json
import subprocess
import sys

THREADS = """
import numpy, json
from tlsearch.search.workers.inside import import_keras
from threadpoolctl import threadpool_info
import_keras(1)
import scipy.linalg
print(json.dumps([(pool["internal_api"], pool["num_threads"]) for pool in threadpool_info()]))
"""


def test_the_linear_algebra_of_a_worker_uses_its_own_cores_alone_even_where_numpy_was_loaded_before() -> None:
    found = subprocess.run([sys.executable, "-c", THREADS], check=True, capture_output=True, text=True)
    pools = json.loads(found.stdout.splitlines()[-1])
    assert pools
    assert all(threads == 1 for _, threads in pools), pools
