import os

from tlsearch.spaces.quiet import quiet_native


def test_native_notices_are_dropped_and_ours_are_not(capfd):
    with quiet_native():
        os.write(2, b"a notice of native code\n")
    os.write(2, b"a line of ours\n")
    assert capfd.readouterr().err == "a line of ours\n"
