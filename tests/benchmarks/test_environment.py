import platform

from benchmarks.environment import _cpu_info, environment

CPU_INFO = "model name\t: Example 3000\nflags\t\t: fpu avx512_vnni avx2\n\nmodel name\t: Other\n"


def test_the_first_processor_is_read():
    info = _cpu_info(CPU_INFO)
    assert info["model name"] == "Example 3000"
    assert "avx512_vnni" in info["flags"].split()
    assert _cpu_info("") == {}


def test_no_host_or_user_name_is_told():
    found = environment()
    assert found["cores"] >= 1 and "numpy" in found["versions"]
    assert platform.node() not in [str(value) for value in found.values()]
